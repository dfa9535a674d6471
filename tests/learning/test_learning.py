"""The learning commands in small, and that the one on random walks finds a look-ahead."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench.learning.__main__ as command
from bench.learning import markets
from bench.learning.markets import PERIOD, SINE, WALK, PartOfPhases, Task
from bench.learning.measure import Look, Result, Seed, load, measure, save
from bench.learning.verdicts import SINE as SINE_GOAL
from bench.learning.verdicts import WALK as WALK_GOAL
from vecbt.data import GeometricBrownianMotion


def small(task: Task, **changes: Any) -> Task:
    learner = {**task.learner, "update_steps": 128, "batch_size": 64, "epochs": 1}
    sizes = {"train_steps": 256, "episode_steps": 20, "test_episodes": 3, "test_steps": 20}
    return dataclasses.replace(task, learner=learner, **{**sizes, **changes})


@dataclasses.dataclass(frozen=True)
class Foresight:
    """A random walk whose volume tells how the next bar will close."""

    walk: GeometricBrownianMotion

    def generate(self, rng: np.random.Generator, bars: int) -> np.ndarray:
        made = self.walk.generate(rng, bars + 1)
        made[:-1, 4] = 10.0 + 3_000.0 * np.log(made[1:, 3] / made[1:, 0])
        return made[:-1]


WITH_A_LEAK = Foresight(GeometricBrownianMotion(price=1.1))


@pytest.mark.parametrize("task", [SINE, WALK], ids=["sine", "walk"])
def test_a_seed_in_small(task: Task) -> None:
    found = measure(small(task), 5, looks=2, num_envs=8)
    assert [look.steps for look in found.looks] == [0, 128, 256]
    assert found.best > found.last.chosen.profit


def test_a_seed_decides_everything() -> None:
    first, again, other = (measure(small(SINE), seed, looks=1, num_envs=8) for seed in (5, 5, 6))
    assert first == again
    assert first.best != other.best
    assert first.last != other.last


def test_looking_does_not_change_what_is_learned() -> None:
    often, once = (measure(small(WALK), 5, looks=looks, num_envs=8) for looks in (2, 1))
    assert often.last == once.last
    assert len(often.looks) > len(once.looks)


def phases(part: int, seed: int) -> np.ndarray:
    """Where within a 256th of a turn the bars of a trial are, found in its prices."""
    opens = PartOfPhases(part).generate(np.random.default_rng(seed), PERIOD)[:, 0]
    turn = np.arctan2((opens - 1.1)[: -PERIOD // 4], (np.roll(opens, -PERIOD // 4) - 1.1)[: -PERIOD // 4])
    return turn / (2.0 * np.pi) * PERIOD % 1.0


@pytest.mark.parametrize("seed", range(20))
def test_no_bar_of_a_held_out_phase_is_trained_on(seed: int) -> None:
    assert isinstance(SINE.generator, PartOfPhases)
    assert isinstance(SINE.test, PartOfPhases)
    assert (SINE.generator.part, SINE.test.part) == (0, 1)
    assert (phases(0, seed) < 0.5 + 1e-6).all()
    assert (phases(1, seed) > 0.5 - 1e-6).all()


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(markets, "SINE", small(SINE))
    monkeypatch.setattr(sys, "argv", ["learning", "sine", "--seeds", "3", "--json", str(tmp_path / "a" / "sine.json")])
    sys.argv += ["--picture", str(tmp_path / "b" / "sine.png")]
    with pytest.raises(SystemExit) as ended:  # 256 steps are not enough
        command.main()
    assert ended.value.code == 1
    assert "MISSED" in capsys.readouterr().out
    (seed,) = load(tmp_path / "a" / "sine.json")
    assert seed.seed == 3
    assert (tmp_path / "b" / "sine.png").read_bytes().startswith(b"\x89PNG")


def test_results_are_kept_to_the_last_bit(tmp_path: Path) -> None:
    seeds = [seed_of(1.0 / 3.0, 0.1, 0.0)]
    save(tmp_path / "x.json", "a machine", seeds)
    assert load(tmp_path / "x.json") == seeds


def seed_of(profit: float, error: float, exposure: float, drawn: Result | None = None) -> Seed:
    result = Result(profit, error, exposure)
    return Seed(0, 10.0, (Look(0, result, drawn or result),))


def test_the_goal_on_the_sine() -> None:
    assert SINE_GOAL.met(seed_of(8.0, 1.0, 1.0))
    assert not SINE_GOAL.met(seed_of(7.99, 1.0, 1.0))
    assert SINE_GOAL.rows(seed_of(9.0, 1.0, 1.0))[0][3:] == ("90.0%", "90.0%", "met")


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        ((0.0, 0.0, 0.0), "met"),
        ((1.9, 1.0, 0.01), "met"),
        ((-1.9, 1.0, 0.01), "met"),
        ((2.1, 1.0, 0.0), "LEAK"),
        ((0.1, 0.0, 0.0), "LEAK"),
        ((-2.1, 1.0, 0.0), "LOSES"),
        ((0.0, 1.0, 0.02), "NOT FLAT"),
    ],
)
def test_the_goal_on_random_walks(result: tuple[float, float, float], verdict: str) -> None:
    flat = Result(0.0, 0.0, 0.0)
    for seed in (seed_of(*result), seed_of(0.0, 0.0, 0.0, Result(*result))):
        assert WALK_GOAL.met(seed) == (verdict == "met")
        assert verdict in {row[-1] for row in WALK_GOAL.rows(seed)}
    assert WALK_GOAL.met(seed_of(0.0, 0.0, 0.0, flat))


@pytest.mark.slow
def test_a_leak_is_found() -> None:
    task = dataclasses.replace(WALK, generator=WITH_A_LEAK, test=WITH_A_LEAK, train_steps=400_000, test_episodes=64)
    seed = measure(task, 7, looks=1)
    assert not WALK_GOAL.met(seed)
    assert {row[-1] for row in WALK_GOAL.rows(seed)} == {"", "LEAK"}
    assert seed.last.chosen.profit > 20.0 * seed.last.chosen.error
    honest = measure(dataclasses.replace(task, generator=WALK.generator, test=WALK.test), 7, looks=1)
    assert honest.last.chosen.profit <= 2.0 * honest.last.chosen.error
