"""What the batch itself promises; that it returns what Gymnasium's does is in tests/conformance/test_generic.py."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

import vecbt
from tests.names import name_of
from tests.scripted import BOX, NESTED, Scripted, Slow, Telling, exact, family, play
from vecbt.errors import (
    ActionError,
    ClosedError,
    ConfigError,
    EpisodeError,
    NoPendingCallError,
    PendingCallError,
    SpaceMismatchError,
    UnknownNameError,
    WorkerTimeoutError,
)
from vecbt.shm.env_slice import EnvSlice

Make = Any


@pytest.fixture
def make() -> Any:
    """Makes batches, in this process if nothing else is said, and closes them."""
    made = []

    def make_batch(count: int = 3, env: Any = Scripted, **given: Any) -> vecbt.SharedMemoryVectorEnv:
        env_settings = given.pop("of", {})
        given = {"num_workers": 0, **({"context": "fork"} if given.get("num_workers") else {}), **given}
        made.append(vecbt.SharedMemoryVectorEnv(family(count, env, **env_settings), **given))
        return made[-1]

    yield make_batch
    for envs in made:
        envs.close()


# -- arguments ---------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"count": 0}, ConfigError, "at least 1"),
    ({"count": 1, "double_buffer": True}, ConfigError, "at least 2"),
    ({"num_workers": -1}, ConfigError, "num_workers must be None, 0"),
    ({"num_workers": 1.5}, ConfigError, "num_workers must be None, 0"),
    ({"num_workers": True}, ConfigError, "num_workers must be None, 0"),
    ({"max_concurrency": 0}, ConfigError, "max_concurrency"),
    ({"max_concurrency": True}, ConfigError, "max_concurrency"),
    ({"timeout": 0.0}, ConfigError, "timeout must be a positive number"),
    ({"on_worker_death": "ignore"}, UnknownNameError, "on_worker_death"),
    ({"max_restarts": 0}, ConfigError, "max_restarts"),
    ({"worker": lambda: None}, ConfigError, "derived from vecbt.shm.env_slice.EnvSlice"),
    ({"worker": Scripted}, ConfigError, "derived from vecbt.shm.env_slice.EnvSlice"),
    ({"observation_mode": "other"}, ConfigError, "Invalid `observation_mode`"),
    ({"observation_mode": (BOX, "box")}, TypeError, "both elements of observation_mode to be spaces"),
    ({"autoreset_mode": "Never"}, ValueError, "Never"),
    ({"context": "thread", "num_workers": 1}, ConfigError, "thread"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), REFUSED, ids=name_of)
def test_arguments_that_are_refused(
    arguments: dict[str, Any], error: type[Exception], message: str, make: Make
) -> None:
    with pytest.raises(error, match=message):
        make(**arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"num_workers": 0}, 0),
        ({"num_workers": 2}, 2),
        ({"num_workers": 9}, 3),
        ({"num_workers": 3, "max_concurrency": 2}, 2),
        ({"num_workers": 3, "max_concurrency": 2, "parent_share": True}, 1),
        ({"num_workers": 3, "max_concurrency": 1, "parent_share": True}, 0),
        ({"num_workers": 2, "parent_share": True}, 2),
        ({"num_workers": 3, "double_buffer": True}, 1),
    ],
    ids=name_of,
)
def test_how_many_processes_there_are(arguments: dict[str, Any], expected: int, make: Make) -> None:
    envs = make(**arguments)
    assert len(envs.worker_pids) == len(set(envs.worker_pids)) == expected
    pids = envs.call_on(None, _pid)
    assert [pid for number, pid in enumerate(pids) if pid not in pids[:number]] == (
        [_pid(None)] * (len(set(pids)) - expected) + list(envs.worker_pids)
    )


def _pid(env: Any) -> int:
    return os.getpid()


def test_spaces_that_differ(make: Make) -> None:
    other = partial(Scripted, observation_space=spaces.Box(-11.0, 10.0, (3,), np.float32))
    for workers in (0, 2):
        with pytest.raises(SpaceMismatchError, match="observation_mode='same'") as caught:
            vecbt.SharedMemoryVectorEnv([Scripted, Scripted, other], num_workers=workers, context="fork")
        assert caught.value.__notes__[0].startswith("in environment 2")
    envs = vecbt.SharedMemoryVectorEnv([Scripted, other], num_workers=0, observation_mode="different")
    assert envs.observation_space.low[:, 0].tolist() == [-10.0, -11.0]
    envs.close()


def test_spaces_that_are_not_gymnasiums() -> None:
    class Mine(gymnasium.Space[Any]):
        def sample(self, mask: Any = None, probability: Any = None) -> Any:
            return "mine"

    gymnasium.vector.utils.batch_space.register(Mine, lambda space, n: spaces.Tuple([Mine()] * n))
    with pytest.raises(ConfigError, match="`shared_memory=False` sends observations as messages"):
        vecbt.SharedMemoryVectorEnv([partial(Scripted, observation_space=Mine())] * 2, num_workers=0)


@pytest.mark.parametrize("space", [NESTED, spaces.Sequence(spaces.Discrete(3))], ids=["nested", "sequence"])
def test_what_shared_memory_false_is_for(space: Any, make: Make) -> None:
    envs = make(of={"observation_space": space}, shared_memory=False)
    observations, _ = envs.reset(seed=0)
    assert envs.observation_space.contains(observations)
    if not isinstance(space, spaces.Dict):
        with pytest.raises(TypeError, match="shared_memory=False"):
            make(of={"observation_space": space})


class Doubling(EnvSlice):
    def step(self, argument: Any) -> Any:
        answer = super().step(argument)
        for place in range(self.high - self.low):
            self._rewards[place] *= 2.0
        return answer


def test_a_slice_of_ones_own(make: Make) -> None:
    plain, doubled = make(num_workers=0), make(num_workers=2, worker=Doubling)
    for envs in (plain, doubled):
        envs.reset(seed=0)
    assert (2.0 * plain.step([1, 2, 3])[1] == doubled.step([1, 2, 3])[1]).all()


# -- resets ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [3, np.int64(3), [3, 4, 5], (3, 4, 5), np.array([3, 4, 5])], ids=name_of)
def test_seeds(seed: Any, make: Make) -> None:
    envs = make()
    envs.reset(seed=seed)
    assert envs.np_random_seed == (3, 4, 5)
    envs.reset(seed=[None, 9, None])
    assert envs.np_random_seed == (3, 9, 5)


def test_options_reach_every_environment_and_stay_the_callers(make: Make) -> None:
    envs = make()
    mask = np.array([True, False, True])
    options = {"x": 1, "reset_mask": mask}
    envs.reset(seed=0)
    _, infos = envs.reset(options=options)
    assert options == {"x": 1, "reset_mask": mask}
    assert infos["options"].tolist() == ["{'x': 1}", None, "{'x': 1}"]


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        ([True, False, True], TypeError),
        (np.array([1, 0, 1]), TypeError),
        (np.array([True, False]), ConfigError),
        (np.zeros(3, bool), ConfigError),
    ],
    ids=name_of,
)
def test_masks_that_are_refused_change_nothing(mask: Any, error: Any, make: Make) -> None:
    envs, twin = make(), make()
    for each in (envs, twin):
        each.reset(seed=0)
    with pytest.raises(error, match="reset_mask"):
        envs.reset(seed=7, options={"reset_mask": mask})
    with pytest.raises(ConfigError, match="length must match num_envs=3"):
        envs.reset(seed=[1, 2])
    assert exact(envs.step([1, 2, 3])) == exact(twin.step([1, 2, 3]))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_what_cannot_be_sent_leaves_the_batch_as_it_was(num_workers: int, make: Make) -> None:
    envs, twin = make(num_workers=num_workers), make()
    for each in (envs, twin):
        each.reset(seed=0)
    if num_workers:
        with pytest.raises(TypeError, match="generator"):
            envs.reset(options={"x": (each for each in ())})
        with pytest.raises(TypeError, match="generator"):
            envs.call("describe", (each for each in ()))
    assert exact(envs.step([1, 2, 3])) == exact(twin.step([1, 2, 3]))
    assert exact(envs.reset(seed=4)) == exact(twin.reset(seed=4))


# -- choosing the next reset -------------------------------------------------------------------------------------------


def given_to(envs: Any) -> list[tuple[str, str]]:
    return list(envs.get_attr("given"))


def until_resets(envs: Any, before: Any) -> Any:
    """Steps until every environment has been reset; what it was given then."""
    given = [None] * envs.num_envs
    counts = before
    for _ in range(20):
        result = envs.step(np.ones(envs.num_envs, int))
        ended = result[2] | result[3]
        if envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED and ended.any():
            envs.reset(options={"reset_mask": ended})
        steps = envs.get_attr("steps")
        for env, (now, last) in enumerate(zip(steps, counts, strict=True)):
            if now <= last and now == 0 and given[env] is None:
                given[env] = envs.get_attr("given")[env]
        counts = steps
    return given


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_next_reset_takes_what_was_chosen(mode: AutoresetMode, num_workers: int, make: Make) -> None:
    envs = make(4, num_workers=num_workers, autoreset_mode=mode)
    envs.reset(seed=0)
    envs.set_next_reset(seed=[70, None], options=[{"x": 1}, {"y": 2}], envs=[2, 0])
    envs.set_next_reset(seed=80, envs=np.array([False, True, False, False]))
    assert given_to(envs) == [(str(seed), "None") for seed in range(4)]  # the running episodes are as they are
    got = until_resets(envs, envs.get_attr("steps"))
    assert got[:3] == [("None", "{'y': 2}"), ("81", "None"), ("70", "{'x': 1}")]
    # What no choice was made for is reset as ever: with nothing, or what a mask has left.
    assert got[3] == ("None", "{}" if mode is AutoresetMode.DISABLED else "None")
    assert envs.np_random_seed == (0, 81, 70, 3)
    assert not {"70", "80"} & {seed for seed, _ in until_resets(envs, envs.get_attr("steps"))}  # it holds for one


def test_another_choice_takes_its_place(make: Make) -> None:
    envs = make()
    envs.set_next_reset(seed=5, options={"x": 1})
    envs.set_next_reset(seed=[9], envs=[1])
    envs.reset()
    assert given_to(envs) == [("5", "{'x': 1}"), ("9", "None"), ("7", "{'x': 1}")]


def test_a_reset_goes_before_with_what_it_names(make: Make) -> None:
    envs = make()
    envs.set_next_reset(seed=5, options={"x": 1})
    envs.reset(seed=[None, 8, None], options={"reset_mask": np.array([True, True, False])})
    assert given_to(envs)[:2] == [("5", "{'x': 1}"), ("8", "{'x': 1}")]
    envs.reset(options={"y": 2})
    assert given_to(envs) == [("None", "{'y': 2}"), ("None", "{'y': 2}"), ("7", "{'y': 2}")]
    envs.reset()
    assert given_to(envs) == [("None", "None")] * 3


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_choice_outlives_actions_that_are_refused(num_workers: int, make: Make) -> None:
    envs = make(num_workers=num_workers)
    envs.reset(seed=0)
    envs.set_next_reset(seed=50)
    with pytest.raises(ActionError):
        envs.step([1, 2])
    envs.reset()
    assert envs.np_random_seed == (50, 51, 52)


def test_a_choice_outlives_what_cannot_be_sent(make: Make) -> None:
    envs = make(num_workers=2)
    envs.reset(seed=0)
    envs.set_next_reset(seed=50)
    unsendable = {"lock": threading.Lock()}
    with pytest.raises(TypeError, match="pickle"):
        envs.reset(seed=9, options=unsendable)
    with pytest.raises(TypeError, match="pickle"):
        envs.step([unsendable] * 3)
    envs.reset()
    assert envs.np_random_seed == (50, 51, 52)


def test_choices_with_halves(make: Make) -> None:
    envs = make(4, num_workers=2, double_buffer=True)
    envs.reset(seed=0)
    envs.set_next_reset(seed=50)
    for _ in range(24):
        envs.send([1, 1])
        envs.recv()
    assert envs.np_random_seed == (50, 51, 52, 53)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"envs": [3]}, "indices below 3"),
        ({"envs": [0.5]}, "indices below 3"),
        ({"envs": [True, False]}, "a bool mask of length 3"),
        ({"envs": 1}, "indices below 3"),
        ({"seed": [1, 2], "envs": [0]}, "seed must be one for all of 1"),
        ({"options": [{}, {}]}, "options must be one for all of 3"),
    ],
    ids=name_of,
)
def test_choices_that_are_refused(arguments: Any, message: str, make: Make) -> None:
    envs = make()
    with pytest.raises(ConfigError, match=message):
        envs.set_next_reset(**arguments)
    envs.reset(seed=0)
    assert given_to(envs) == [("0", "None"), ("1", "None"), ("2", "None")]


def test_no_environment_is_chosen(make: Make) -> None:
    envs = make()
    envs.set_next_reset(seed=[], envs=[])
    assert envs.call_on([], "label") == ()
    envs.reset(seed=0)
    assert given_to(envs)[0] == ("0", "None")


# -- halves ------------------------------------------------------------------------------------------------------------


def test_columns_that_only_one_half_knows(make: Make) -> None:
    """One half has been told of a dict, and both are to be told of what is in it."""
    scripts = [[{}, {}, {"a": 1, "in": {"x": 1}}, {"in": {"x": 2, "y": 3}}, *[{"in": {"x": 4, "y": 5}}] * 8]] * 4
    envs = vecbt.SharedMemoryVectorEnv(
        [partial(Telling, script) for script in scripts], num_workers=2, context="fork", double_buffer=True
    )
    envs.reset()
    for _ in range(3):
        envs.send([0, 0])
        envs.recv()
    envs.send([0, 0])
    envs.recv()
    for _ in range(3):
        infos = envs.step([0] * 4)[4]
        assert infos["in"]["_x"].all()
    assert infos["in"]["y"].tolist() == [5, 5, 5, 5]
    envs.close()


def test_halves_go_in_turns(make: Make) -> None:
    envs = make(5, num_workers=2, double_buffer=True)
    assert [(half.start, half.stop) for half in envs.halves] == [(0, 2), (2, 5)]
    envs.reset(seed=0)
    with pytest.raises(NoPendingCallError, match=r"`recv` without any prior call to `send`"):
        envs.recv()
    envs.send([1, 1])
    envs.send([1, 1, 1])
    with pytest.raises(PendingCallError, match="`recv` first"):
        envs.send([1, 1])
    for call in (lambda: envs.step([1] * 5), envs.reset, lambda: envs.call("label"), lambda: envs.step_async([1] * 5)):
        with pytest.raises(PendingCallError, match="half"):
            call()
    assert [len(envs.recv()[1]) for _ in range(2)] == [2, 3]
    envs.send([1, 1])
    envs.recv()
    envs.reset(seed=0)  # begins with the first again
    with pytest.raises(ActionError, match="expected 2 actions"):
        envs.send([1, 1, 1])
    envs.send([1, 1])
    assert len(envs.recv()[1]) == 2


def test_without_double_buffer_there_is_one_half(make: Make) -> None:
    envs, twin = make(num_workers=1), make()
    for each in (envs, twin):
        each.reset(seed=0)
    for _ in range(3):
        envs.send([1, 2, 3])
        assert exact(envs.recv()) == exact(twin.step([1, 2, 3]))
    assert len(envs.halves) == 1


# -- calls out of order, late calls, the end ---------------------------------------------------------------------------


def test_calls_out_of_order(make: Make) -> None:
    envs = make(num_workers=1)
    for wait, name in ((envs.step_wait, "step"), (envs.reset_wait, "reset"), (envs.call_wait, "call")):
        with pytest.raises(NoPendingCallError, match=f"`{name}_wait` without any prior call to `{name}_async`"):
            wait()
    envs.reset_async(seed=0)
    for call in (
        lambda: envs.step_async([0] * 3),
        lambda: envs.step([0] * 3),
        lambda: envs.call_async("label"),
        lambda: envs.set_attr("label", "x"),
        lambda: envs.call_on([0], "label"),
        envs.reset_async,
        envs.render,
    ):
        with pytest.raises(PendingCallError, match="pending call to `reset`") as caught:
            call()
        assert caught.value.name == "reset"
    with pytest.raises(NoPendingCallError):
        envs.step_wait()
    first = envs.reset_wait()
    assert exact(first) == exact(make().reset(seed=0))
    envs.step_async([1, 2, 3])
    assert envs.step_wait()[1].shape == (3,)
    envs.call_async("describe", 3, second=4)
    assert [answer for _, answer in envs.call_wait()] == [7, 7, 7]


@pytest.mark.parametrize("how", ["step", "async", "halves"])
def test_a_late_step_is_waited_for_again(how: str, make: Make, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    envs = make(4, Slow, num_workers=2, of={"gate": str(gate)}, double_buffer=how == "halves", timeout=0.15)
    twin = make(4, Slow, of={"gate": str(tmp_path)})
    for each in (envs, twin):
        each.reset(seed=0)
    expected = [twin.step([1, 2, 3, 1]), twin.step([3, 2, 1, 0])]
    begun = time.monotonic()
    if how == "step":
        with pytest.raises(WorkerTimeoutError, match=r"no answer within 0.15 s from worker 0"):
            envs.step([1, 2, 3, 1])
        with pytest.raises(WorkerTimeoutError):  # still; the actions that are under way stay what they are
            envs.step([0, 0, 0, 0])
        gate.touch()
        assert exact(envs.step([3, 2, 1, 0])) == exact(expected[1])
    elif how == "async":
        envs.step_async([1, 2, 3, 1])
        with pytest.raises(WorkerTimeoutError):
            envs.step_wait(timeout=0.1)
        with pytest.raises(PendingCallError):
            envs.step([0] * 4)
        gate.touch()
        assert exact(envs.step_wait(timeout=30.0)) == exact(expected[0])
        assert exact(envs.step([3, 2, 1, 0])) == exact(expected[1])
    else:
        envs.send([1, 2])
        with pytest.raises(WorkerTimeoutError):
            envs.recv()
        with pytest.raises(PendingCallError):
            envs.send([3, 1])
        gate.touch()
        assert exact(envs.recv(timeout=30.0)[0]) == exact(expected[0][0][:2])
        envs.send([3, 1])
        assert exact(envs.recv(timeout=30.0)[0]) == exact(expected[0][0][2:])
    assert time.monotonic() - begun < 30.0


def test_actions_of_a_late_step_stay_what_they_are(make: Make) -> None:
    envs, twin = make(num_workers=1, of={"longest": 50}, timeout=0.2), make(of={"longest": 50})
    for each in (envs, twin):
        each.reset(seed=0)
    os.kill(envs.worker_pids[0], signal.SIGSTOP)  # before it can read them
    with pytest.raises(WorkerTimeoutError):
        envs.step([1, 2, 3])
    with pytest.raises(WorkerTimeoutError):
        envs.step([0, 0, 0])
    os.kill(envs.worker_pids[0], signal.SIGCONT)
    envs.call("label")
    twin.step([1, 2, 3])
    assert exact(envs.step([3, 3, 3])) == exact(twin.step([3, 3, 3]))


def test_a_reset_gives_up_a_late_step(make: Make, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    envs = make(2, Slow, num_workers=1, of={"gate": str(gate)}, timeout=20.0)
    first = envs.reset(seed=0)
    envs.step_async([1, 2])
    with pytest.raises(WorkerTimeoutError):
        envs.step_wait(timeout=0.05)
    gate.touch()
    assert exact(envs.reset(seed=0)) == exact(first)
    with pytest.raises(NoPendingCallError):
        envs.step_wait()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_closing_twice_and_use_after_it(num_workers: int, make: Make) -> None:
    envs = make(num_workers=num_workers)
    envs.reset(seed=0)
    envs.close()
    assert envs.closed
    envs.close()
    for call in (
        envs.reset,
        lambda: envs.step([0] * 3),
        lambda: envs.step_async([0] * 3),
        envs.step_wait,
        lambda: envs.send([0] * 3),
        envs.recv,
        lambda: envs.call("label"),
        lambda: envs.call_on([0], "label"),
        lambda: envs.get_attr("label"),
        lambda: envs.set_attr("label", "x"),
        lambda: envs.set_next_reset(seed=0),
        envs.render,
    ):
        with pytest.raises(ClosedError, match=r"after a call to `close\(\)`"):
            call()


@pytest.mark.parametrize("arguments", [{}, {"timeout": 5.0}, {"terminate": True}, {"timeout": 0.01}], ids=name_of)
def test_closing_with_a_call_under_way(arguments: Any, make: Make, tmp_path: Path) -> None:
    envs = make(num_workers=1)
    envs.reset(seed=0)
    envs.step_async([0] * 3)
    begun = time.monotonic()
    envs.close(**arguments)
    assert time.monotonic() - begun < 20.0
    with pytest.raises(ClosedError):
        envs.step_wait()


# -- episodes that have ended or failed --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["step", "step_async", "send"])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_ended_environments_refuse_a_step_where_no_reset_follows(how: str, num_workers: int, make: Make) -> None:
    envs = make(num_workers=num_workers, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=0)
    ended = np.zeros(3, bool)
    while not ended.any():
        result = envs.step([1, 1, 1])
        ended = result[2] | result[3]
    steps = envs.get_attr("steps")
    names = str(np.flatnonzero(ended).tolist())
    with pytest.raises(EpisodeError) as caught:
        getattr(envs, how)([1, 1, 1])
    assert f"environments {names} have ended" in str(caught.value)
    assert envs.get_attr("steps") == steps  # none has gone on
    envs.reset(options={"reset_mask": ended})
    envs.step([1, 1, 1])


class Failing(Scripted):
    def step(self, action: Any) -> Any:
        if action == 3:
            raise ZeroDivisionError("told to")
        return super().step(action)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_batch_goes_on_after_an_exception(num_workers: int, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    envs, twin = make(4, Failing, num_workers=num_workers), make(4, Failing)
    for each in (envs, twin):
        each.reset(seed=0)
    with pytest.raises(ZeroDivisionError) as caught:
        envs.step([1, 3, 1, 3])
    assert caught.value.__notes__[0].startswith("in environment 1")
    assert "1 more failed too" in caught.value.__notes__
    with pytest.raises(EpisodeError, match="reset it") as again:
        envs.step([1, 1, 1, 1])
    assert again.value.__notes__[0].startswith("in environment 1")
    for each in (envs, twin):
        each.reset(seed=5)
    assert exact(envs.step([1, 1, 1, 1])) == exact(twin.step([1, 1, 1, 1]))


# -- calls -------------------------------------------------------------------------------------------------------------


def test_calls_of_environments(make: Make) -> None:
    for workers in (0, 2):
        envs = make(num_workers=workers)
        assert envs.call("label") == envs.get_attr("label") == ("env 0", "env 1", "env 2")
        assert envs.call("describe", 1, second=2) == tuple((f"env {env}", 3) for env in range(3))
        assert envs.call_on([2, 0, 2], "describe", 5) == (("env 2", 5), ("env 0", 5), ("env 2", 5))
        assert envs.call_on([-1], "label") == ("env 2",)
        assert envs.call_on(np.array([True, False, True]), "label") == ("env 0", "env 2")
        assert envs.call_on(None, lambda env, more: env.label + more, "!") == ("env 0!", "env 1!", "env 2!")
        envs.set_attr("label", ["a", "b", "c"])
        assert envs.get_attr("label") == ("a", "b", "c")
        envs.set_attr("label", "same")
        assert envs.get_attr("label") == ("same",) * 3
        with pytest.raises(ConfigError, match="Got `2` values for 3 environments"):
            envs.set_attr("label", ["a", "b"])
        for name in ("reset", "step", "close"):
            with pytest.raises(ValueError, match=f"use `{name}` directly"):
                envs.call(name)
        with pytest.raises(AttributeError, match="nothing_like_it") as caught:
            envs.get_attr("nothing_like_it")
        assert caught.value.__notes__[0].startswith("in environment 0")
        envs.reset(seed=0)
        frames = envs.render()
        assert frames is not None
        assert [frame.shape for frame in frames] == [(2, 2, 3)] * 3
        assert [random.bit_generator.state for random in envs.np_random]


# -- memory ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared_memory", [True, False])
def test_copies_are_the_callers_and_views_are_overwritten(shared_memory: bool, make: Make) -> None:
    copies, views = make(shared_memory=shared_memory), make(shared_memory=shared_memory, copy=False)
    first, view = copies.reset(seed=0)[0], views.reset(seed=0)[0]
    before = exact(first)
    assert exact(view) == before
    following = copies.step([1, 1, 1])[0]
    viewed = views.step([1, 1, 1])[0]
    assert exact(first) == before
    assert np.shares_memory(view, viewed)
    assert exact(view) == exact(viewed) == exact(following) != before


def test_flags_rewards_and_infos_are_copies_in_any_case(make: Make) -> None:
    envs = make(copy=False)
    envs.reset(seed=0)
    kept = envs.step([1, 2, 3])[1:]
    before = exact(kept)
    for _ in range(4):
        envs.step([3, 2, 1])
    assert exact(kept) == before


def test_a_rollout_is_the_same_again(make: Make) -> None:
    envs = make()
    assert play(envs, 20) == play(envs, 20)
    assert play(envs, 5, seed=4) != play(envs, 5)


def test_errors_pickle(make: Make) -> None:
    envs = make()
    envs.reset(seed=0)
    with pytest.raises(ActionError) as caught:
        envs.step([1])
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
