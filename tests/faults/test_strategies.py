"""What a strategy raises arrives where the batch was called, and the batch can go on."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest

import vecbt
from tests.envs import make, rollout
from tests.faults.processes import Script
from tests.faults.strategies import HARMLESS, Faulty, FaultyDone, FaultyFactory, FaultyInit, FaultyReward, Refusal

HOOKS = [("next", Faulty), ("stop", Faulty), ("act", Faulty), ("get_reward", FaultyReward), ("get_done", FaultyDone)]


@pytest.fixture
def faulty() -> Iterator[Any]:
    made = []

    def make_faulty(cls: type = Faulty, **settings: Any) -> vecbt.TradingVectorEnv:
        names = ("where", "env", "episode", "fault")
        parameters = {name: settings.pop(name) for name in names if name in settings}
        made.append(make(4, strategy=(cls, parameters), **({"episode_steps": 5, "num_workers": 2} | settings)))
        return made[-1]

    yield make_faulty
    for envs in made:
        envs.close()


def run_into_it(envs: vecbt.TradingVectorEnv) -> int:
    """Steps until something is raised."""
    for step in range(8):
        try:
            envs.step([1, 1, 1, 1])
        except Refusal:
            raise
        except Exception as error:  # so that a wrong error shows as what it is
            raise AssertionError(f"after {step} steps") from error
    return 8


@pytest.mark.parametrize("layout", [{"num_workers": 0}, {"num_workers": 2}, {"num_workers": 1, "parent_share": True}])
@pytest.mark.parametrize(("where", "cls"), HOOKS, ids=[where for where, _ in HOOKS])
def test_an_exception_arrives_with_its_environment(faulty: Any, where: str, cls: type, layout: Any) -> None:
    envs = faulty(cls, where=where, **layout)
    envs.reset(seed=0)
    with pytest.raises(Refusal, match="on purpose") as caught:
        run_into_it(envs)
    note = caught.value.__notes__[0]
    assert note.startswith("in environment 2")
    if envs.worker_pids:
        assert f"process {envs.worker_pids[-1]}, environments 2 to 3)" in note
        # Where in the strategy it was, which only the worker can tell.
        assert "strategies.py" in str(caught.value.__cause__)
        assert f"in {where}" in str(caught.value.__cause__)


def test_the_parents_share_is_named_alike(faulty: Any) -> None:
    envs = faulty(env=1, num_workers=1, parent_share=True)
    envs.reset(seed=0)
    with pytest.raises(Refusal) as caught:
        run_into_it(envs)
    assert caught.value.__notes__ == ["in environment 1"]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_no_step_before_a_whole_reset_and_then_all_is_as_new(faulty: Any, num_workers: int) -> None:
    envs = faulty(env=2, num_workers=num_workers)
    envs.reset(seed=0)
    with pytest.raises(Refusal):
        run_into_it(envs)
    with pytest.raises(vecbt.errors.EpisodeError, match="in the middle of a call"):
        envs.step([0, 0, 0, 0])
    with pytest.raises(vecbt.errors.EpisodeError, match="reset all"):
        envs.reset(options={"reset_mask": [True, False, False, False]})
    envs.reset()  # the fault is in the first episode alone
    for _ in range(3):
        envs.step([1, 1, 1, 1])
    other = make(4, episode_steps=5)
    got = rollout(faulty(env=-1, num_workers=num_workers), 12)
    assert got == rollout(other, 12)
    other.close()


def test_the_environments_without_a_fault_are_not_disturbed(faulty: Any) -> None:
    """After an error and a reset the episodes are those that would have been, had nothing been raised."""
    envs, other = faulty(env=3, fault="raise"), make(4, episode_steps=5)
    for batch in (envs, other):
        batch.reset(seed=1)
    for _ in range(HARMLESS):
        assert (envs.step([1, 2, 1, 2])[0] == other.step([1, 2, 1, 2])[0]).all()
    with pytest.raises(Refusal):
        envs.step([0, 0, 0, 0])
    got, expected = envs.reset(), other.reset()
    assert (got[0] == expected[0]).all()
    assert (got[1]["start"] == expected[1]["start"]).all()
    envs.step([1, 1, 1, 1])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_exception_in_the_constructor(num_workers: int) -> None:
    with pytest.raises(Refusal, match="on purpose"):
        make(4, strategy=FaultyInit, num_workers=num_workers)


def test_an_exception_in_a_constructor_that_only_a_worker_runs(faulty: Any) -> None:
    envs = make(4, strategy=(FaultyInit, {"in_worker": True}), num_workers=2)
    with pytest.raises(Refusal) as caught:
        envs.reset(seed=0)
    assert caught.value.__notes__[0].startswith("in environment 0, worker 0 ")
    assert caught.value.__notes__[1] == "1 more failed too"
    envs.close()


@pytest.mark.parametrize("context", ["forkserver", "fork"])
def test_an_exception_in_a_factory_that_only_a_worker_runs(context: str) -> None:
    with pytest.raises(Refusal) as caught:
        make(4, cerebro=FaultyFactory("raise"), num_workers=2, context=context)
    assert caught.value.__notes__[0].startswith("in worker 0 ")
    assert "strategies.py" in str(caught.value.__cause__)


def test_an_exception_in_the_parents_share_ends_the_workers() -> None:
    made = []

    def factory() -> bt.Cerebro:
        made.append(bt.Cerebro())
        if len(made) > 1:  # the first is for the probe
            raise Refusal("on purpose")
        return made[0]

    before = set(multiprocessing.active_children())
    with pytest.raises(Refusal):
        make(4, cerebro=factory, num_workers=1, parent_share=True, context="fork")
    assert set(multiprocessing.active_children()) == before


CLASSES_OF_A_SCRIPT = """
class Mine(Exception):
    def __str__(self):
        return "of the script"

class Broken(Exception):
    def __init__(self, first, second):
        super().__init__(first)
        self.lock = (x for x in ())  # cannot travel
    def __str__(self):
        raise RuntimeError

class Raising(vecbt.Strategy):
    params = (("what", "mine"),)
    def next(self):
        if self.episode.live and self.episode.step == 2 and self.episode.index == 1:
            raise Mine() if self.p.what == "mine" else Broken(1, 2)
        super().next()

for context, what in (("fork", "mine"), ("fork", "broken"), ("forkserver", "mine"), ("spawn", "mine")):
    envs = vecbt.make_vec(bars, num_envs=2, num_workers=1, engine="cerebro", episode_steps=5, context=context,
                          strategy=(Raising, {"what": what}))
    envs.reset(seed=0)
    envs.step([0, 0])
    try:
        envs.step([0, 0])
    except Mine as error:
        print(context, "Mine", error, error.__notes__[0].split(",")[0], flush=True)
    except vecbt.errors.WorkerError as error:
        print(context, type(error).__name__, error, flush=True)
    envs.close()
"""


def test_exceptions_of_a_script_keep_their_class(tmp_path: Path) -> None:
    script = Script(CLASSES_OF_A_SCRIPT, tmp_path)
    code, output, errors = script.finish()
    assert (code, errors) == (0, "")
    assert output.splitlines() == [
        "fork Mine of the script in environment 1",
        "fork WorkerError Broken: (its message raises RuntimeError)",
        "forkserver Mine of the script in environment 1",
        "spawn Mine of the script in environment 1",
    ]
