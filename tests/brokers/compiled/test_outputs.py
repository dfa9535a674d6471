"""Whatever a caller keeps is never written again; whatever nobody keeps is."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.envs import flat, make

SETTINGS: dict[str, Any] = {"engine": "compiled", "window": 4, "account_features": ("value",), "order_size": 3}

LOOKS: dict[str, Callable[[np.ndarray], Any]] = {
    "itself": lambda array: array,
    "row": lambda array: array[1],
    "element": lambda array: array[1, ...],
    "slice": lambda array: array[::2],
    "reshaped": lambda array: array.reshape(-1),
    "transposed": lambda array: array.T,
    "bytes": lambda array: array.view(np.uint8),
    "view of a view": lambda array: array[1:][:1].T,
    "memoryview": memoryview,
    "part of a memoryview": lambda array: memoryview(array)[1:],
    "array of a memoryview": lambda array: np.asarray(memoryview(array)),
    "buffer": lambda array: np.frombuffer(array.data, np.uint8),
    "DLPack": np.from_dlpack,
    "strides": lambda array: np.lib.stride_tricks.as_strided(array, (1,), (0,)),
    "out-of-band pickle": lambda array: _unpickled(array),
}


def _unpickled(array: np.ndarray) -> Any:
    """An array that shares the memory of another one, as pickle's fifth protocol makes it."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(array, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(data, buffers=buffers)


def content(value: Any) -> Any:
    return flat(np.asarray(value))


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("part", ["market", "account", "rewards", "truncations", "cash", "bar", "order_status"])
def test_what_is_kept_is_not_written_again(part: str, look: str) -> None:
    envs = make(5, **SETTINGS)
    envs.reset(seed=0)
    kept = []
    random = np.random.default_rng(0)
    for number in range(12):
        observation, rewards, _, truncations, infos = envs.step(random.integers(0, 4, 5))
        everything = {**observation, "rewards": rewards, "truncations": truncations, **infos}
        if number % 2:
            kept.append(LOOKS[look](everything[part]))
            kept.append(content(kept[-1]))
        del observation, rewards, truncations, infos, everything
    for value, before in zip(kept[::2], kept[1::2], strict=True):
        assert content(value) == before
    if part in ("market", "cash", "bar"):
        assert len({*kept[1::2]}) > 1 or look == "strides"
    envs.close()


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_that_nobody_keeps_is_written_again() -> None:
    envs = make(5, **SETTINGS)
    envs.reset(seed=0)
    addresses = []
    for _ in range(40):
        observation, *_ = envs.step([0] * 5)  # the one before is kept until this one is there
        addresses.append(address(observation["market"]))
    assert 1 < len(set(addresses)) <= 3
    assert addresses[4] in addresses[:4]
    envs.close()


def test_memory_comes_back_once_it_is_let_go() -> None:
    envs = make(5, **SETTINGS)
    envs.reset(seed=0)
    kept = [envs.step([0] * 5)[0]["market"] for _ in range(20)]
    assert len({address(array) for array in kept}) == 20
    runner: Any = envs._batch.runner
    observations = runner._pool._turns[0]
    known = list(observations._sets)
    assert len(known) < 20  # it does not look after what is kept for long
    del kept
    for _ in range(10):
        envs.step([0] * 5)
        assert observations.current in known
    envs.close()


def test_a_history_of_infos_keeps_no_observations() -> None:
    envs = make(5, **SETTINGS)
    envs.reset(seed=0)
    values, addresses = [], set()
    for _ in range(40):
        observation, rewards, _, _, infos = envs.step([0] * 5)
        values += [rewards, infos["value"]]
        addresses.add(address(observation["market"]))
    assert len({address(array) for array in values}) == 80
    assert len(addresses) <= 3
    envs.close()


def test_two_observations_in_turn_never_share_memory() -> None:
    envs = make(5, **SETTINGS)
    before, infos_before = envs.reset(seed=0)
    for _ in range(30):
        kept = flat(before), flat(infos_before)
        after, _, _, _, infos = envs.step([1] * 5)
        assert not np.shares_memory(before["market"], after["market"])
        assert (flat(before), flat(infos_before)) == kept
        before, infos_before = after, infos
    envs.close()


def test_without_copies_observations_are_views_of_one_buffer() -> None:
    envs = make(5, copy=False, **SETTINGS)
    observation, infos = envs.reset(seed=0)
    first, bar = observation["market"].copy(), infos["bar"].copy()
    later, rewards, _, truncations, later_infos = envs.step([1] * 5)
    assert address(observation["market"]) == address(later["market"])
    assert (observation["market"] == later["market"]).all()
    assert not (observation["market"] == first).all()
    assert (infos["bar"] == bar + 1).all()
    assert (infos["bar"] == later_infos["bar"]).all()
    kept = rewards.copy(), truncations.copy()
    for _ in range(20):
        assert not np.shares_memory(envs.step([2] * 5)[1], rewards)
    assert (rewards == kept[0]).all()
    assert (truncations == kept[1]).all()
    envs.close()


@pytest.mark.parametrize("copy", [True, False])
def test_a_partial_reset_keeps_the_other_rows(copy: bool) -> None:
    envs = make(6, copy=copy, **SETTINGS)
    reference = make(6, **{**SETTINGS, "engine": "cerebro"})
    for batch in (envs, reference):
        batch.reset(seed=3)
    random = np.random.default_rng(1)
    for _ in range(15):
        actions, mask = random.integers(0, 4, 6), random.random(6) < 0.4
        mask[random.integers(6)] = True
        before = envs.step(actions)
        kept = flat(before[0])
        reference.step(actions)
        rows = {name: part[~mask].copy() for name, part in before[0].items()}
        bars = before[4]["bar"][~mask].copy()
        observation, infos = envs.reset(options={"reset_mask": mask})
        for name, part in rows.items():
            assert (observation[name][~mask] == part).all()
        assert (infos["bar"][~mask] == bars).all()
        assert (infos["bar"][mask] == infos["start"][mask]).all()
        assert (flat(before[0]) == kept) == copy
        expected = reference.reset(options={"reset_mask": mask})
        assert (flat(observation), flat(infos)) == tuple(map(flat, expected))
    envs.close()
    reference.close()
