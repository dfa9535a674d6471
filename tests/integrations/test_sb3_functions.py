"""Functions that make environments: the place of Stable-Baselines3's SubprocVecEnv, beside its DummyVecEnv."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from gymnasium.wrappers.vector import TransformReward
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

import vecbt
from tests.envs import flat
from tests.integrations.counting import SPACES, N, functions
from vecbt.integrations.sb3 import SB3VecEnv


@pytest.fixture(params=["functions", "batch"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., SB3VecEnv]]:
    """Makes a batch from functions, in processes or, of Gymnasium's class, in this one."""
    made: list[SB3VecEnv] = []

    def of(env_fns: list[Callable[[], Any]]) -> SB3VecEnv:
        envs: Any = env_fns
        if request.param == "batch":
            envs = SyncVectorEnv(env_fns, autoreset_mode=AutoresetMode.SAME_STEP)
        made.append(SB3VecEnv(envs))
        return made[-1]

    yield of
    for vec_env in made:
        vec_env.close()


@pytest.fixture
def vec_env() -> Iterator[SB3VecEnv]:
    made = SB3VecEnv(functions())
    yield made
    made.close()


def flat_infos(infos: Any) -> list[Any]:
    return [{key: flat(value) for key, value in sorted(info.items())} for info in infos]


@pytest.mark.parametrize("space", SPACES)
def test_steps_are_those_of_dummy_vec_env(make: Any, space: str) -> None:
    ours: VecEnv = make(functions(space))
    theirs = DummyVecEnv(functions(space)) if space != "tuple" else None
    for vec_env in (ours, theirs):
        if vec_env is not None:
            vec_env.seed(3)
    first = ours.reset()
    ends = 0
    if theirs is not None:
        assert flat(first) == flat(theirs.reset())
        assert ours.reset_infos == theirs.reset_infos == [{"seed": str(seed)} for seed in (3, 4, 5)]
    SPACES[space].seed(0)
    for _ in range(12):
        actions = [SPACES[space].sample() for _ in range(N)]
        observations, rewards, dones, infos = ours.step(actions)
        ends += int(dones.sum())
        for env, (info, done) in enumerate(zip(infos, dones, strict=True)):
            assert info["TimeLimit.truncated"] == (bool(done) and env != 1)
            if done:
                assert SPACES[space].contains(info["terminal_observation"])
        if theirs is not None:
            expected = theirs.step(actions)
            assert [flat(part) for part in (observations, rewards, dones)] == [flat(part) for part in expected[:3]]
            assert flat_infos(infos) == flat_infos(expected[3])
            assert ours.reset_infos == theirs.reset_infos
        else:
            assert isinstance(observations, tuple)
            assert [part.shape for part in observations] == [(N,), (N, 1)]
    assert ends >= 2 * N


def test_seeds_and_options_of_each(make: Any) -> None:
    vec_env = make(functions())
    vec_env.seed(8)
    options = [{"a": 1}, {"b": 2}, {"a": 1}]
    vec_env.set_options(options)
    vec_env.reset()  # the first one, by parts
    assert vec_env.reset_infos == [{"seed": str(8 + n), **part} for n, part in enumerate(options)]
    vec_env.set_options({"c": 3})
    observations = vec_env.reset()
    assert vec_env.reset_infos == [{"seed": "None", "c": 3}] * N
    vec_env.reset()
    assert vec_env.reset_infos == [{"seed": "None"}] * N
    vec_env.set_options([{}, {}, {"d": 4}])
    assert (vec_env.reset() != observations).any(axis=(1, 2)).all()
    assert [info.get("d") for info in vec_env.reset_infos] == [None, None, 4]


def test_attributes_and_methods_of_each(vec_env: SB3VecEnv) -> None:
    vec_env.reset()
    assert vec_env.get_attr("steps") == [2, 3, 4]
    assert vec_env.get_attr("steps", indices=[2, -3]) == [4, 2]
    vec_env.set_attr("steps", [9, 9], indices=-1)  # a list is a value like any other
    vec_env.set_attr("count", 5, indices=np.array([0, 2]))
    assert vec_env.get_attr("steps") == [2, 3, [9, 9]]
    assert vec_env.env_method("twice", 1, plus=3) == [10, 5, 10]
    assert vec_env.env_method("twice", 2, indices=1) == [4]
    assert vec_env.has_attr("count")
    assert not vec_env.has_attr("money")
    with pytest.raises(AttributeError, match="money"):
        vec_env.get_attr("money")
    with pytest.raises(AttributeError, match="money"):
        vec_env.env_method("money", indices=0)
    with pytest.raises(IndexError):
        vec_env.get_attr("steps", indices=[N])
    assert vec_env.get_attr("count", indices=1) == [0]  # and it goes on


def test_wrappers_of_each() -> None:
    vec_env = SB3VecEnv([functions()[0], lambda: Monitor(TimeLimit(functions()[1](), 2))])
    assert vec_env.env_is_wrapped(Monitor) == [False, True]
    assert vec_env.env_is_wrapped(TimeLimit, indices=[1]) == [True]
    assert vec_env.env_is_wrapped(Monitor, indices=0) == [False]
    vec_env.reset()
    for _ in range(2):
        infos = vec_env.step(np.zeros((2, 2, 3), np.float32))[3]
    assert infos[1]["episode"]["l"] == 2
    assert infos[1]["episode"]["r"] == 0.3
    vec_env.close()


def test_pictures(vec_env: SB3VecEnv) -> None:
    vec_env.reset()
    vec_env.step(np.zeros((N, 2, 3), np.float32))
    assert vec_env.render_mode == "rgb_array"
    assert [image.mean() for image in vec_env.get_images() if image is not None] == [1.0] * N
    picture = vec_env.render()
    assert picture is not None
    assert picture.shape == (4, 4, 3)


def test_a_step_may_be_waited_for_later(vec_env: SB3VecEnv) -> None:
    vec_env.reset()
    vec_env.step_async(np.zeros((N, 2, 3), np.float32))
    assert len(vec_env.step_wait()[3]) == N


def test_a_wrapper_of_the_batch_takes_part_in_steps() -> None:
    inner = vecbt.SharedMemoryVectorEnv(functions(), autoreset_mode=AutoresetMode.SAME_STEP)
    vec_env = SB3VecEnv(TransformReward(inner, lambda rewards: rewards + 1.0))
    vec_env.reset()
    assert vec_env.step(np.zeros((N, 2, 3), np.float32))[1].tolist() == [np.float32(1.1)] * N
    assert vec_env.get_attr("count") == [1] * N
    vec_env.close()


def test_a_start_method_is_handed_on() -> None:
    vec_env = make_vec_env("CartPole-v1", 2, seed=1, vec_env_cls=SB3VecEnv, vec_env_kwargs={"start_method": "spawn"})  # type: ignore[arg-type]
    other = make_vec_env("CartPole-v1", 2, seed=1)
    assert flat(vec_env.reset()) == flat(other.reset())
    vec_env.close()
    other.close()
    with pytest.raises(ValueError, match="cannot find context for 'thread'"):
        SB3VecEnv(functions(), start_method="thread")
