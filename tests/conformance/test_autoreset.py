"""Sequences of results beside those of Gymnasium's SyncVectorEnv over single environments, in every autoreset mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import vecbt
from tests.envs import MARKET, flat

N = 3
SETTINGS: list[dict[str, Any]] = [
    {"episode_steps": 4},
    {"episode_steps": 1, "window": 2, "order_size": 1},
    {"episode_steps": 4, "account_features": ("value", "pos_direction"), "commission": 0.001},
    {"episode_steps": 30, "drawdown_call": 0.02, "order_size": "90%"},  # ends at different times
    {"episode_steps": 3, "skip_frame": 2, "latency": 1, "actions": "target_percent", "close_out": True},
    {"episode_steps": 4, "infos": "episode", "flatten": True},
]


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The batch, and the same environments one by one in a batch of Gymnasium's."""
    made: list[Any] = []

    def make_pair(mode: AutoresetMode, num_workers: int = 0, **settings: Any) -> tuple[Any, Any]:
        settings = {"data": MARKET, "engine": "cerebro", **settings}
        made.append(vecbt.make_vec(num_envs=N, num_workers=num_workers, autoreset_mode=mode, **settings))
        singles = [lambda: gymnasium.make("vecbt/Trading-v0", disable_env_checker=True, **settings)] * N
        made.append(SyncVectorEnv(singles, autoreset_mode=mode))
        return made[-2], made[-1]

    yield make_pair
    for envs in made:
        envs.close()


def actions_of(envs: Any, random: np.random.Generator) -> Any:
    space = envs.single_action_space
    if hasattr(space, "n"):
        return random.integers(0, space.n, N)
    return random.uniform(-1.0, 1.0, (N, *space.shape)).astype(np.float32)


def assert_same_infos(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """The same keys and masks, and the same values where the masks say that there is one."""
    assert set(ours) == set(theirs)
    for name in (name for name in theirs if not name.startswith("_")):
        mask = theirs["_" + name]
        assert ours["_" + name].dtype == bool
        assert ours["_" + name].tolist() == mask.tolist(), name
        if name == "final_obs":  # dense here, an array of objects there
            for env in np.flatnonzero(mask):
                assert flat(part_of(ours[name], env)) == flat(theirs[name][env])
        elif isinstance(theirs[name], dict):
            assert_same_infos(ours[name], theirs[name])
        else:
            assert np.array_equal(ours[name][mask], theirs[name][mask], equal_nan=ours[name].dtype == float), name


def part_of(observation: Any, env: int) -> Any:
    return {key: part[env] for key, part in observation.items()} if isinstance(observation, dict) else observation[env]


def assert_same(ours: Any, theirs: Any) -> None:
    for mine, other in zip(ours[:-1], theirs[:-1], strict=True):
        assert flat(mine) == flat(other)  # dtype and shape too
    assert_same_infos(ours[-1], theirs[-1])


def test_spaces_and_metadata(pair: Any) -> None:
    for mode in AutoresetMode:
        ours, theirs = pair(mode, account_features=("cash",))
        for name in ("observation_space", "action_space", "single_observation_space", "single_action_space"):
            assert getattr(ours, name) == getattr(theirs, name)
        assert ours.num_envs == theirs.num_envs
        assert ours.metadata["autoreset_mode"] is theirs.metadata["autoreset_mode"] is mode


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=lambda mode: mode.value)
def test_automatic_resets(pair: Any, mode: AutoresetMode, settings: Any) -> None:
    ours, theirs = pair(mode, **settings)
    random = np.random.default_rng(0)
    ends = 0
    for seed in (5, None):
        assert_same(ours.reset(seed=seed), theirs.reset(seed=seed))
        for _ in range(40):
            actions = actions_of(ours, random)
            got, expected = ours.step(actions), theirs.step(actions)
            assert_same(got, expected)
            ends += int((got[2] | got[3]).sum())
    assert ends >= 2 * N


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_resets_by_hand(pair: Any, settings: Any) -> None:
    ours, theirs = pair(AutoresetMode.DISABLED, **settings)
    random = np.random.default_rng(0)
    assert_same(ours.reset(seed=5), theirs.reset(seed=5))
    resets = 0
    for _ in range(60):
        actions = actions_of(ours, random)
        got, expected = ours.step(actions), theirs.step(actions)
        assert_same(got, expected)
        mask = got[2] | got[3]
        if mask.any():
            resets += 1
            options = {"reset_mask": mask}
            (mine, my_infos), (other, _) = ours.reset(options=options), theirs.reset(options={"reset_mask": mask})
            assert list(options) == ["reset_mask"]
            assert options["reset_mask"] is mask
            assert mask.any()
            assert flat(mine) == flat(other)
            for env in np.flatnonzero(~mask):  # the other rows stay as they are
                assert flat(part_of(mine, env)) == flat(part_of(got[0], env))
            for name in (name for name in my_infos if not name.startswith("_")):
                assert my_infos["_" + name].tolist() == mask.tolist()
                assert (my_infos[name][~mask] == got[4][name][~mask]).all()
    assert resets > 1


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
def test_workers_return_the_same(pair: Any, mode: AutoresetMode) -> None:
    ours, theirs = pair(mode, num_workers=2, account_features=("value",), episode_steps=3)
    random = np.random.default_rng(1)
    assert_same(ours.reset(seed=[7, 3, 5]), theirs.reset(seed=[7, 3, 5]))
    for step in range(12):
        actions = actions_of(ours, random)
        got = ours.step(actions)
        assert_same(got, theirs.step(actions))
        if mode is AutoresetMode.DISABLED and step % 3 == 2:
            assert_same(ours.reset(), theirs.reset())


def test_a_reset_row_says_nothing_of_the_step(pair: Any) -> None:
    """NEXT_STEP: the row after the end has no reward, no flag and no statistics, whatever the action was."""
    ours, _ = pair(AutoresetMode.NEXT_STEP, episode_steps=2, order_size=1)
    ours.reset(seed=0)
    for step in range(9):
        _, rewards, terminations, truncations, infos = ours.step([1, 2, 3])
        if step % 3 == 2:
            assert not rewards.any()
            assert not (terminations | truncations).any()
            assert not infos["position"].any()
            assert not infos["order_status"].any()
            assert (infos["value"] == 10_000.0).all()
        assert ("episode_stats" in infos) == (step % 3 == 1)


@pytest.mark.parametrize("infos", ["none", "episode", "full"])
def test_same_step_needs_the_last_observation(pair: Any, infos: str) -> None:
    ours, _ = pair(AutoresetMode.SAME_STEP, episode_steps=1, infos=infos)
    first, _ = ours.reset(seed=0)
    following, _, _, truncations, got = ours.step([0, 0, 0])
    assert truncations.all()
    final = got["final_obs"]
    assert (final[:, :-1] == first[:, 1:]).all()  # a bar later
    assert (final != following).any(axis=(1, 2)).all()
    assert ("episode_stats" in got["final_info"]) == (infos != "none")
    assert ("value" in got["final_info"]) == (infos == "full")
    if infos == "none":
        assert set(got) == {"final_obs", "_final_obs", "final_info", "_final_info"}
