from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

import vecbt
from tests.scripted import Telling, exact
from vecbt.shm.arena import Arena
from vecbt.shm.infos import InfoReader, InfoWriter, info_specs

NAN = float("nan")


def transcript(envs: Any, steps: int) -> list[Any]:
    """The infos of a rollout; an error of Gymnasium's arrangement ends it."""
    told = []
    try:
        told.append(exact(envs.reset()[1]))
        told.extend(exact(envs.step(np.zeros(envs.num_envs, int))[4]) for _ in range(steps))
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError) as error:
        told.append(type(error))
    envs.close()
    return told


def both(scripts: list[list[dict[str, Any]]], **settings: Any) -> tuple[list[Any], list[Any]]:
    """The infos as they come from vecbt and from Gymnasium, of environments that say what is written."""
    steps, env_fns = len(scripts[0]) - 1, [partial(Telling, script) for script in scripts]
    ours = vecbt.SharedMemoryVectorEnv(env_fns, **({"num_workers": 0} | settings))
    return transcript(ours, steps), transcript(SyncVectorEnv(env_fns), steps)


floats = st.one_of(st.just(NAN), st.floats(width=32))
KINDS: list[st.SearchStrategy[Any]] = [
    st.integers(-(2**63), 2**63 - 1),
    floats,
    st.booleans(),
    st.booleans().map(np.bool_),
    floats.map(np.float32),
    st.integers(0, 2**64 - 1).map(np.uint64),
    st.integers(-100, 100).map(np.int8),
    st.floats(-100.0, 100.0).map(np.float16),
    floats.map(np.complex64),
    floats.map(lambda number: np.full((2, 3), number, np.float32)),
    st.integers(0, 9).map(lambda number: np.array([number, 1])),
    floats.map(lambda number: np.array(number)),
    st.booleans().map(lambda flag: np.array([flag])),
    st.just(np.zeros((0, 2))),
    st.text(max_size=3),
    st.none(),
    st.lists(st.integers(0, 3), max_size=2),
    st.text(max_size=3).map(lambda text: np.array([text], object)),
    st.just({}),
]
changing = st.one_of(
    st.integers(-9, 9),
    st.floats(-9.0, 9.0),
    st.booleans(),
    st.integers(-9, 9).map(np.int8),
    st.floats(-9.0, 9.0).map(np.float32),
    st.integers(0, 9).map(lambda number: np.array(number, np.int16)),
    st.sampled_from([2**40, 2**63, 2**70]),
)
names = st.sampled_from(["a", "b", "c", "d", "e", "final_obs", "worker", "episode"])


def infos_of(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    parts = {name: infos_of(part) if isinstance(part, dict) else part for name, part in schema.items()}
    return st.fixed_dictionaries({}, optional=parts)


schemas: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(names, st.sampled_from([*KINDS, changing]), max_size=5),
    lambda inner: st.dictionaries(names, st.one_of(st.sampled_from([*KINDS, changing]), inner), max_size=4),
    max_leaves=3,
)


@settings(max_examples=150)
@given(st.data())
def test_infos_are_arranged_as_gymnasium_arranges_them(data: st.DataObject) -> None:
    infos = infos_of(data.draw(schemas))
    count = data.draw(st.integers(1, 3))
    scripts = [data.draw(st.lists(infos, min_size=7, max_size=7)) for _ in range(count)]
    ours, theirs = both(scripts)
    assert ours == theirs


@settings(max_examples=100)
@given(st.lists(st.lists(changing, min_size=8, max_size=8), min_size=2, max_size=3))
def test_a_name_whose_values_change_their_type(values: list[list[Any]]) -> None:
    ours, theirs = both([[{"x": each, "in": {"x": each, "y": 1}} for each in script] for script in values])
    assert ours == theirs


CHANGES: dict[str, list[list[Any]]] = {
    "the first is another than it was": [[1, 1, 1.5, 1], [1, 1, 2, 2.5]],
    "there is none any more where it was": [[1, {"y": 2.0}, 3], [1, {"y": 4}, 5]],
    "a number becomes a dict": [[1, 2, {"y": 3}, {"y": 3}], [1, 2, {"y": 3}, {"y": 4}]],
    "a dict becomes a number": [[{"y": 3}, {"y": 3}, 1, {"y": 3}], [{"y": 3}, {"y": 3}, 2, {"y": 3}]],
    "a dict and a number at a time": [[{"y": 3}, {"y": 3}, 1], [{"y": 3}, {"y": 3}, {"y": 3}]],
    "a number becomes a word": [[1, 2, "three"], [1, 2, "four"]],
    "a number and a word": [["one", "two", "three"], [1, 2, 3]],
    "an array becomes another": [[np.zeros(2), np.zeros(2), np.ones(3)], [np.zeros(2), np.zeros(2), np.ones(3)]],
    "arrays of unlike shapes": [[np.zeros(2), np.zeros(2)], [np.zeros(2), np.ones(3)]],
    "an array that fits by stretching": [[np.zeros(2), np.zeros(2)], [np.zeros(2), np.ones(1)]],
    "an array and a number": [[np.zeros(2), 1.0, 1.0], [np.zeros(2), np.zeros(2), 2.0]],
    "beyond 64 bits": [[1, 2**64, 2], [1, 3, 2**64]],
    "unsigned": [[2**63, 1], [1, 2**63]],
    "flags of numpy and of Python": [[True, np.True_, False], [True, False, np.False_]],
    "None": [[None, 1.0, None], [1.0, None, None]],
    "big-endian": [[np.arange(2, dtype=">i4"), np.arange(2, dtype="<i4")], [np.arange(2, dtype=">i4")] * 2],
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes(name: str) -> None:
    ours, theirs = both([[{"x": value} for value in script] for script in CHANGES[name]])
    assert ours == theirs


def test_changes_that_workers_tell_of() -> None:
    names = [name for name, (first, _) in CHANGES.items() if len(first) == 3 and not _raises(CHANGES[name])]
    scripts = [[{name: CHANGES[name][env][step] for name in names} for step in range(3)] for env in (0, 1)]
    ours, theirs = both(scripts, num_workers=2, context="fork")
    assert ours == theirs
    assert len(theirs) == 3
    assert len(names) >= 4


def _raises(scripts: list[list[Any]]) -> bool:
    env_fns = [partial(Telling, [{"x": value} for value in script]) for script in scripts]
    return isinstance(transcript(SyncVectorEnv(env_fns), len(scripts[0]) - 1)[-1], type)


def numbers(env: int, step: int, count: int) -> dict[str, Any]:
    return {f"key {number}": float(env + step * number) for number in range(count)}


@pytest.mark.parametrize("count", [63, 64, 65, 200])
def test_more_names_than_there_are_columns(count: int) -> None:
    ours, theirs = both([[numbers(env, step, count) for step in range(4)] for env in range(3)])
    assert ours == theirs


@pytest.mark.parametrize("size", [1, 60, 128, 129, 10_000])
def test_more_numbers_than_there_is_room_for(size: int) -> None:
    def info(env: int, step: int) -> dict[str, Any]:
        return {"large": np.full(size, env + step, np.float64), "more": {"flag": env == step, "large": np.ones(70)}}

    ours, theirs = both([[info(env, step) for step in range(4)] for env in range(3)])
    assert ours == theirs


def test_names_that_are_no_words() -> None:
    ours, theirs = both([[{0: 1.0, (1, 2): step, None: {3: True}} for step in range(4)]] * 2)  # type: ignore[dict-item]
    assert ours == theirs


def test_dicts_of_other_classes() -> None:
    class Mine(dict[str, Any]):
        pass

    ours, theirs = both([[{"x": Mine(y=step, z=Mine())} for step in range(4)]] * 2)
    assert ours == theirs
    ours, theirs = both([[{"x": {"y": 1}}, {"x": {"y": 1}}, {"x": Mine(y=2, z=3)}]] * 2)
    assert ours == theirs


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
def test_ends_of_episodes(mode: AutoresetMode) -> None:
    script = [{"count": step, "episode": {"r": 1.5 * step}, "word": "x" * step} for step in range(20)]
    env_fns = [partial(Telling, script, episode) for episode in (2, 3, 3)]
    ours = vecbt.SharedMemoryVectorEnv(env_fns, num_workers=0, autoreset_mode=mode)
    theirs = SyncVectorEnv(env_fns, autoreset_mode=mode)
    if mode is AutoresetMode.DISABLED:
        assert transcript(ours, 2) == transcript(theirs, 2)
    else:
        assert transcript(ours, 12) == transcript(theirs, 12)


# -- nothing is pickled ------------------------------------------------------------------------------------------------


class Numbers(gymnasium.Env[Any, Any]):
    """Infos of numbers and arrays, with all names from the beginning."""

    observation_space = spaces.Dict({"a": spaces.Box(-1.0, 1.0, (2,)), "b": spaces.Tuple([spaces.Text(3)])})
    action_space = spaces.Dict({"a": spaces.Discrete(3), "b": spaces.Tuple([spaces.Box(-1.0, 1.0, (2,))])})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self.observation_space.sample(), self.tell()

    def tell(self) -> dict[str, Any]:
        number = self.np_random.normal()
        vector = self.np_random.normal(size=2).astype(np.float32)
        inner = {"flag": np.bool_(number > 0.0), "r": number, "deep": {"small": np.int8(3), "vector": vector}}
        return {"count": int(10.0 * number), "on": number > 0.5, "own": bool(number > 0.0), "episode": inner}

    def step(self, action: Any) -> Any:
        ended = bool(self.np_random.integers(3) == 0)
        return self.observation_space.sample(), 1.0, ended, False, self.tell()


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=lambda mode: mode.value)
@pytest.mark.parametrize("double_buffer", [False, True])
def test_once_the_names_are_known_nothing_is_pickled(
    mode: AutoresetMode, double_buffer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    envs = vecbt.SharedMemoryVectorEnv(
        [Numbers] * 4, num_workers=2, context="fork", autoreset_mode=mode, double_buffer=double_buffer
    )
    envs.reset(seed=0)
    for _ in range(12):
        envs.step(envs.action_space.sample())

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("something is pickled or sent")

    ends = 0
    with monkeypatch.context() as patch:
        for owner, name in [
            (pickle, "dumps"),
            (pickle, "loads"),
            (cloudpickle, "dumps"),
            (Connection, "send_bytes"),
            (Connection, "recv_bytes"),
            (Connection, "send"),
            (Connection, "recv"),
        ]:
            patch.setattr(owner, name, refuse)
        for _ in range(30):
            _, _, terminations, _, infos = envs.step(envs.action_space.sample())
            ends += int(terminations.sum())
            assert {"count", "on", "own", "episode"} <= set(infos)
            assert infos["_count"].all()
        if double_buffer:
            actions = spaces.Dict(envs.single_action_space.spaces)
            batch = gymnasium.vector.utils.batch_space(actions, 2)
            for _ in range(10):
                envs.send(batch.sample())
                assert envs.recv()[4]["_count"].all()
        with pytest.raises(AssertionError, match="something is pickled"):  # it would be seen
            envs.call("tell")
    assert ends > 10
    envs.close()


# -- columns -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def columns() -> Callable[..., Any]:
    arrays = Arena(info_specs(4)).arrays
    reader, writers = InfoReader(arrays), [InfoWriter(arrays, 0, 2), InfoWriter(arrays, 2, 4)]

    def teach(info: dict[str, Any]) -> Any:
        new = reader.assign(info)
        for writer in writers:
            writer.learn(new)
        return reader, writers

    return teach


def test_a_slice_clears_its_own_rows_alone(columns: Any) -> None:
    reader, (first, second) = columns({"x": 1})
    assert first.write(1, {"x": 5}) == {}
    assert second.write(2, {"x": 6}) == {}
    assert reader.read(0, 4)["x"].tolist() == [0, 5, 6, 0]
    first.clear()
    infos = reader.read(0, 4)
    assert infos["x"].tolist() == [0, 0, 6, 0]
    assert infos["_x"].tolist() == [False, False, True, False]
    assert reader.read(0, 2) == {}
    assert exact(reader.single(2)) == exact({"x": 6})
    assert reader.single(1) == {}


def test_what_has_no_column_is_returned(columns: Any) -> None:
    _, (writer, _) = columns({"x": 1, "in": {"y": 1.0}, "array": np.zeros(2)})
    rest = {"x": 2.0, "in": {"y": "text", "z": 1}, "array": np.zeros(3), "word": "w"}
    assert writer.write(0, {**rest, "in": {**rest["in"]}}).keys() == rest.keys()  # type: ignore[dict-item]
    assert writer.write(0, {"x": np.int64(3), "in": {"y": np.float64(4.0)}, "array": np.ones(2)}) == {}
    assert writer.write(0, {"x": True}) == {"x": True}
    assert writer.write(0, {"x": 2**63}) == {"x": 2**63}
    assert writer.write(0, {"in": {"z": 1}}) == {"in": {"z": 1}}


def test_a_column_is_given_once(columns: Any) -> None:
    reader, (writer, _) = columns({"x": 1, "in": {"y": 1.0}})
    assert reader.assign({"x": 2.0, "in": {"y": "text"}}) == []
    (new,) = reader.assign({"in": {"z": np.int8(1)}})
    assert (new.path, new.dtype, new.scalar) == (("in", "z"), "|i1", np.int8)
    writer.learn(
        [column for column in reader.columns if len(column.path) == 1]
    )  # what it knows stays, and what is in it
    writer.learn([new])
    assert writer.write(0, {"x": 1, "in": {"y": 2.0, "z": np.int8(3)}}) == {}


@pytest.mark.parametrize("info", [{"final_obs": np.zeros(2)}, {"final_info": {"final_obs": 1.0}}, {"word": "w"}])
def test_objects_have_no_columns(columns: Any, info: dict[str, Any]) -> None:
    reader, _ = columns(info)
    assert all(column.path == ("final_info",) for column in reader.columns)
