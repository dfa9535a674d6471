"""Slices in this process, without a pool: what a worker does with its environments."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from tests.scripted import BOX, Scripted, exact
from vecbt.errors import EpisodeError, SpaceMismatchError
from vecbt.shm.actions import action_layout
from vecbt.shm.arena import Arena, ArraySpec
from vecbt.shm.env_slice import EnvPlan, EnvSlice, EnvState, MakeEnvSlice
from vecbt.shm.infos import InfoReader, info_specs
from vecbt.shm.report import SliceError
from vecbt.shm.spaces import layout

NEXT, SAME, DISABLED = AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED
N = 4


class Fragile(Scripted):
    """Raises when it is told to; episodes of three steps."""

    made = closed = 0

    def __init__(self, **settings: Any) -> None:
        type(self).made += 1
        super().__init__(**settings)
        self.fails: set[str] = set()

    def _obey(self, where: str) -> None:
        if where in self.fails:
            raise ValueError(f"told to, {where}")

    def reset(self, **given: Any) -> Any:
        self._obey("reset")
        result = super().reset(**given)
        self.left = 3
        return result

    def step(self, action: Any) -> Any:
        self._obey("step")
        return super().step(action)

    def close(self) -> None:
        type(self).closed += 1
        self._obey("close")


@pytest.fixture(autouse=True)
def _count_anew() -> None:
    Fragile.made = Fragile.closed = 0


class Bench:
    """A slice of environments 1 and 2 of four, and the arrays around it."""

    def __init__(self, mode: AutoresetMode = NEXT, shared: bool = True, env_fns: Any = None, **settings: Any) -> None:
        observation = layout(BOX, N, "observation") if shared else None
        self.final = layout(BOX, N, "final") if shared and mode is SAME else None
        action = action_layout(spaces.Discrete(4), N, "action")
        assert action is not None
        plan = EnvPlan(
            env_fns or [Fragile] * N,
            settings.pop("observation_space", BOX),
            spaces.Discrete(4),
            settings.pop("same", True),
            mode,
            observation,
            self.final,
            action,
        )
        specs = {
            "rewards": ArraySpec((N,), "float64"),
            "terminations": ArraySpec((N,), "bool"),
            "truncations": ArraySpec((N,), "bool"),
            "episodes": ArraySpec((N,), "int64"),
            "states": ArraySpec((N,), "uint8"),
            "choice_waits": ArraySpec((N,), "bool"),
            "final_mask": ArraySpec((N,), "bool"),
            **info_specs(N),
        }
        for part in (observation, self.final, action):
            specs |= part.specs if part is not None else {}
        self.arrays = Arena(specs).arrays
        for array in self.arrays.values():
            array[...] = 1 if array.dtype == bool else 0
        self.arrays["info_masks"][:] = False
        self.arrays["choice_waits"][:] = False
        self.action = action
        self.slice = MakeEnvSlice(plan, EnvSlice)(self.arrays, 1, 3)

    def reset(self, mask: Any = None, seeds: Any = (5, 6, 7, 8), options: Any = None, **more: Any) -> Any:
        return self.slice.reset({"mask": mask, "seeds": seeds, "options": options, **more})

    def step(self, argument: Any = None, actions: Any = (0, 1, 2, 3)) -> Any:
        assert self.action.bind(self.arrays, 0, N).write(np.array(actions))
        return self.slice.step(argument)

    @property
    def states(self) -> list[int]:
        return self.arrays["states"][1:3].tolist()

    @property
    def results(self) -> Any:
        names = ("observation", "rewards", "terminations", "truncations")
        return exact([self.arrays[name][1:3] for name in names if name in self.arrays])


def test_it_writes_to_its_own_rows_alone() -> None:
    bench = Bench()
    before = {name: array.copy() for name, array in bench.arrays.items() if name != "action"}
    bench.reset()
    bench.step()
    assert bench.arrays["rewards"][1:3].all()
    for name, array in before.items():
        if name in ("info_words", "info_masks", "action/type"):
            continue
        for env in (0, 3):
            assert exact(bench.arrays[name][env]) == exact(array[env]), name


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
def test_states_of_episodes(mode: AutoresetMode) -> None:
    bench = Bench(mode)
    bench.reset()
    assert bench.states == [EnvState.RUNNING] * 2
    for _ in range(2):
        bench.step()
    assert bench.states == [EnvState.RUNNING] * 2
    bench.step()
    assert bench.states == [EnvState.RUNNING if mode is SAME else EnvState.ENDED] * 2
    assert (bench.arrays["terminations"] | bench.arrays["truncations"])[1:3].all()
    assert bench.arrays["episodes"][1:3].tolist() == [1 if mode is SAME else 0] * 2
    assert [env.steps for env in bench.slice.envs] == [0 if mode is SAME else 3] * 2  # type: ignore[attr-defined]


def test_the_last_observation_stands_beside_the_first() -> None:
    bench = Bench(SAME)
    assert bench.final is not None
    bench.reset()
    for _ in range(2):
        bench.step()
        assert not bench.arrays["final_mask"][1:3].any()
    alone = Fragile()
    alone.reset(seed=6)
    last = [alone.step(np.int64(1))[0] for _ in range(3)][-1]
    bench.step()
    assert bench.arrays["final_mask"].tolist() == [True] * 4  # the others' rows are as they were made
    assert exact(bench.final.element(bench.arrays, 1)) == exact(last)
    assert exact(bench.arrays["observation"][1]) == exact(alone.reset()[0])
    bench.step()
    assert bench.arrays["final_mask"].tolist() == [True, False, False, True]


def test_what_does_not_fit_into_the_arrays_is_said() -> None:
    bench = Bench(shared=False)
    answer = bench.reset()
    assert [env for env, _ in answer["observations"]] == [1, 2]
    assert [env for env, _ in answer["infos"]] == [1, 2]
    reader = InfoReader(bench.arrays)
    columns = reader.assign({"steps": 1, "noise": 0.5, "on": True, "small": np.float32(1), "options": 1})
    answer = bench.step({"columns": columns})
    for _, info in answer["infos"]:
        assert not {"steps", "noise", "on", "small"} & set(info)
    assert reader.read(1, 3)["steps"].tolist() == [1, 1]
    assert Bench().step.__self__.reset()["observations"] == []  # type: ignore[attr-defined]


def test_actions_that_come_along() -> None:
    first, second = Bench(), Bench()
    for bench in (first, second):
        bench.reset()
    first.step(actions=(9, 2, 3, 9))
    second.step({"actions": [np.int64(2), np.int64(3), "unused"], "first": 1}, actions=(9, 9, 9, 9))
    assert first.results == second.results


# -- failures ----------------------------------------------------------------------------------------------------------


def test_an_environment_that_raises_is_closed_and_made_anew() -> None:
    bench, untouched = Bench(), Bench()
    made = Fragile.made
    for each in (bench, untouched):
        each.reset()
    bench.slice.envs[0].fails.add("step")  # type: ignore[attr-defined]
    with pytest.raises(SliceError) as caught:
        bench.step()
    untouched.step()
    ((env, error),) = caught.value.errors
    assert (env, str(error)) == (1, "told to, step")
    assert bench.states == [EnvState.FAILED, EnvState.RUNNING]
    assert Fragile.closed == 1
    assert exact(bench.arrays["observation"][2]) == exact(untouched.arrays["observation"][2])  # it has gone on
    with pytest.raises(SliceError) as caught:
        bench.step()
    ((env, error),) = caught.value.errors
    assert env == 1
    assert isinstance(error, EpisodeError)
    assert "reset it" in str(error)
    assert Fragile.closed == 1
    bench.reset(mask=np.array([False, False, True, False]))
    assert bench.states == [EnvState.FAILED, EnvState.RUNNING]
    bench.reset()
    untouched.reset()
    assert Fragile.made == made + 1
    for each in (bench, untouched):
        each.step()
    assert bench.results == untouched.results


def test_every_failure_is_told() -> None:
    bench = Bench()
    for env in bench.slice.envs:
        env.fails |= {"reset", "close"}  # type: ignore[attr-defined]
    with pytest.raises(SliceError) as caught:
        bench.reset()
    assert [(env, str(error)) for env, error in caught.value.errors] == [(1, "told to, reset"), (2, "told to, reset")]
    assert bench.reset() is not None  # and nothing of it is left
    bench.slice.close()
    assert Fragile.closed == 4


def test_a_failure_takes_what_was_to_be_said_with_it() -> None:
    bench = Bench(shared=False)
    bench.reset()
    bench.slice.envs[1].fails.add("step")  # type: ignore[attr-defined]
    with pytest.raises(SliceError):
        bench.step()
    answer = bench.reset(mask=np.array([False, True, False, False]))
    assert [env for env, _ in answer["observations"]] == [env for env, _ in answer["infos"]] == [1]


def test_an_environment_that_cannot_be_made() -> None:
    def fail() -> Any:
        raise RuntimeError("not made")

    with pytest.raises(SliceError) as caught:
        Bench(env_fns=[Fragile, Fragile, fail, Fragile])
    assert [(env, str(error)) for env, error in caught.value.errors] == [(2, "not made")]
    assert (Fragile.made, Fragile.closed) == (1, 1)  # the one before it is closed


OTHER_BOUNDS, OTHER_SHAPE = spaces.Box(-11.0, 10.0, (3,), np.float32), spaces.Box(-10.0, 10.0, (4,), np.float32)


@pytest.mark.parametrize(
    ("settings", "same", "message"),
    [
        ({"observation_space": OTHER_BOUNDS}, True, "are not equivalent"),
        ({"observation_space": OTHER_BOUNDS}, False, None),
        ({"observation_space": OTHER_SHAPE}, False, "do not share a common shape and dtype"),
        ({"action_space": spaces.Discrete(5)}, False, r"expected the action space Discrete\(4\) .*got Discrete\(5\)"),
    ],
)
def test_spaces_that_differ(settings: Any, same: bool, message: str | None) -> None:
    env_fns = [Fragile, Fragile, partial(Fragile, **settings), Fragile]
    if message is None:
        Bench(env_fns=env_fns, same=same)
        return
    with pytest.raises(SliceError) as caught:
        Bench(env_fns=env_fns, same=same)
    ((env, error),) = caught.value.errors
    assert env == 2
    assert isinstance(error, SpaceMismatchError)
    with pytest.raises(SpaceMismatchError, match=message):
        raise error


# -- choices and calls -------------------------------------------------------------------------------------------------


def test_a_choice_waits_for_its_reset() -> None:
    bench = Bench()
    bench.reset()
    bench.step({"choices": {1: {"seed": 40, "options": {"x": 1}}, 3: {"seed": 1, "options": None}}})
    assert bench.arrays["choice_waits"].tolist() == [False, True, False, False]
    for _ in range(2):
        bench.step()
    assert bench.slice.envs[0].given[0] == "6"  # type: ignore[attr-defined]
    bench.step()
    assert [env.given for env in bench.slice.envs] == [("40", "{'x': 1}"), ("None", "None")]  # type: ignore[attr-defined]
    assert bench.arrays["choice_waits"].tolist() == [False] * 4


@pytest.mark.parametrize(
    ("seed", "options", "given"),
    [
        (None, None, ("40", "{'x': 1}")),
        (6, None, ("6", "{'x': 1}")),
        (None, {"y": 2}, ("40", "{'y': 2}")),
        (0, {"y": 2}, ("0", "{'y': 2}")),
        (None, {}, ("40", "{'x': 1}")),  # what a mask alone has left
    ],
)
def test_what_reset_names_goes_before_a_choice(seed: Any, options: Any, given: Any) -> None:
    bench = Bench()
    bench.reset(seeds=[seed] * N, options=options, choices={1: {"seed": 40, "options": {"x": 1}}})
    assert bench.slice.envs[0].given == given  # type: ignore[attr-defined]
    assert bench.slice.envs[1].given == (str(seed), str(options))  # type: ignore[attr-defined]


def test_calls() -> None:
    bench = Bench(env_fns=[partial(Fragile, label=f"env {number}") for number in range(N)])
    call = bench.slice.call
    assert call("call", (None, "label", (), {})) == [(1, "env 1"), (2, "env 2")]
    assert call("call", ([2, 3], "describe", (4,), {"second": 5})) == [(2, ("env 2", 9))]
    assert call("call", ([1], lambda env, more: env.label + more, ("!",), {})) == [(1, "env 1!")]
    call("set", ("label", ["a", "b", "c", "d"]))
    assert call("call", (None, "label", (), {})) == [(1, "b"), (2, "c")]
    for name in ("reset", "step", "close"):
        with pytest.raises(ValueError, match=f"use `{name}` directly"):
            call("call", (None, name, (), {}))
    with pytest.raises(SliceError) as caught:
        call("call", (None, "nothing_like_it", (), {}))
    assert [(env, type(error)) for env, error in caught.value.errors] == [(1, AttributeError), (2, AttributeError)]


def test_close_closes_all_whatever_one_raises() -> None:
    bench = Bench()
    bench.slice.envs[0].fails.add("close")  # type: ignore[attr-defined]
    with pytest.raises(SliceError) as caught:
        bench.slice.close()
    assert [env for env, _ in caught.value.errors] == [1]
    assert Fragile.closed == 2


# -- in the place of another process -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
def test_recovery_cuts_running_episodes_short(mode: AutoresetMode) -> None:
    seeds = [_seeds_after_recovery(mode, seed) for seed in (5, 5, 50)]
    assert seeds[0] == seeds[1]
    assert len({*seeds[0], *seeds[2]}) == 4


def _seeds_after_recovery(mode: AutoresetMode, seed: int) -> list[int]:
    bench = Bench(mode)
    bench.reset(seeds=range(seed, seed + N))
    bench.step()
    last = bench.arrays["observation"][1:3].copy()
    again = EnvSlice(bench.slice.plan, bench.arrays, 1, 3)
    again.recover({"columns": [], "seeds": range(seed, seed + N), "choices": {}})
    bench.slice = again
    assert bench.states == [EnvState.CUT] * 2
    answer = bench.step()
    assert bench.arrays["truncations"][1:3].all()
    assert not bench.arrays["terminations"][1:3].any()
    assert not bench.arrays["rewards"][1:3].any()
    assert all(info["worker_restarted"] for _, info in answer["infos"])
    if mode is SAME:
        assert exact(bench.arrays["final"][1:3]) == exact(last)
        assert bench.states == [EnvState.RUNNING] * 2
    else:
        assert exact(bench.arrays["observation"][1:3]) == exact(last)
        assert bench.states == [EnvState.ENDED] * 2
    if mode is NEXT:
        bench.step()
    elif mode is DISABLED:
        bench.reset(mask=np.ones(N, bool), seeds=[None] * N)
    assert bench.arrays["episodes"][1:3].tolist() == [1, 1]
    return [env.np_random_seed for env in bench.slice.envs]  # type: ignore[misc]


def test_plans_travel() -> None:
    plan = Bench().slice.plan
    again = pickle.loads(pickle.dumps(MakeEnvSlice(plan, EnvSlice)))
    assert again.plan.observation_space == BOX
    assert again.plan.action.specs == plan.action.specs  # type: ignore[union-attr]
