"""Nothing of the test rows reaches training: they are changed at random, and no training episode changes by a bit."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vecbt
from vecbt.data.bars import Bars
from vecbt.data.domain import CausalDomain, Domain, RandomDomain, SampleRules, WalkForward
from vecbt.data.synthetic import synthetic_market

COUNT = 700
MARKET = synthetic_market(COUNT, seed=8)
FEATURES = ("open", "high", "low", "close", "log_return", "sma(7)", "rsi(9)", "close / volume")
ENGINES = ({"engine": "compiled"}, {"engine": "cerebro", "num_workers": 0})
TWO_PARTS = SampleRules(duration=200, test_period=60)
EPISODE = 15


@dataclasses.dataclass(frozen=True)
class Place:
    """A way to divide the data.

    Attributes:
        domain: Makes the domain of some bars.
        test: First test row, and the row after the last.
        options: Of the resets of training episodes.
    """

    domain: Any
    test: tuple[int, int]
    options: dict[str, Any]


def _random(bars: Any) -> Domain:
    return RandomDomain(bars, test_period=200)


def _two_parts(bars: Any) -> Domain:
    return RandomDomain(bars, trial=TWO_PARTS, episode=SampleRules(b_alpha=9.0), test_period=200)


def _fold(bars: Any) -> Domain:
    return WalkForward(bars, train=200, test=100).fold(2)


def _expanding_fold(bars: Any) -> Domain:
    return WalkForward(bars, train=200, test=100, expanding=True).fold(3)


def _causal(bars: Any) -> Domain:
    return CausalDomain(bars, trial=TWO_PARTS, expanding=True)


def _frozen(bars: Any) -> Domain:
    split = str(np.datetime64(int(MARKET.timestamps[399]), "ns"))
    return CausalDomain(bars, trial=TWO_PARTS, frozen_time_split=split)


PLACES = {
    "random": Place(_random, (500, COUNT), {}),
    "random, trials of two parts": Place(_two_parts, (500, COUNT), {"sample_type": "train"}),
    "tests of training trials": Place(_two_parts, (500, COUNT), {"trial_type": "source", "sample_type": "test"}),
    "fold": Place(_fold, (400, COUNT), {}),  # rows before 200 may be looked back to
    "expanding fold": Place(_expanding_fold, (500, COUNT), {}),
    "causal": Place(_causal, (200, COUNT), {}),
    "frozen": Place(_frozen, (400, COUNT), {}),
    "target trials": Place(_frozen, (400, COUNT), {"trial_type": "target", "sample_type": "train"}),
}


def changed(bars: Bars, rows: tuple[int, int], generator: np.random.Generator) -> Bars:
    """The same bars with others in some rows, at the same times."""
    columns = {name: bars.column(name).copy() for name in ("open", "high", "low", "close", "volume")}
    first, end = rows
    prices = np.sort(columns["close"][first - 1] * generator.uniform(0.5, 2.0, (end - first, 4)), axis=1)
    columns["low"][first:end], columns["high"][first:end] = prices[:, 0], prices[:, 3]
    columns["open"][first:end], columns["close"][first:end] = prices[:, 1], prices[:, 2]
    columns["volume"][first:end] = generator.uniform(1.0, 100.0, end - first)
    assert all((columns[name][first:end] != bars.column(name)[first:end]).all() for name in columns)
    order = ("open", "high", "low", "close", "volume")
    return Bars.from_arrays(bars.timestamps, *(columns[name] for name in order))


def rollout(domain: Domain, engine: dict[str, Any], seed: int, settings: dict[str, Any], place: Place) -> list[Any]:
    """Everything that some training episodes show, and what is said of the training rows."""
    envs = vecbt.make_vec(
        domain,
        num_envs=4,
        window=6,
        features=FEATURES,
        account_features=("value", "exposure", "drawdown"),
        order_size=1.0,
        episode_steps=EPISODE,
        commission=0.0001,
        **settings,
        **engine,
    )
    table = envs._batch.plan.table
    generator = np.random.default_rng(seed)
    shown: list[Any] = [table.describe(), list(envs.reset(seed=seed, options=place.options))]
    for _ in range(3 * EPISODE):
        shown.append(envs.step(generator.integers(0, 4, 4)))
        first, end = place.test
        bars = shown[-1][-1]["bar"]
        assert ((bars < first) | (bars >= end)).all()
    envs.close()
    return shown


def same(one: Any, other: Any) -> bool:
    """Whether two answers are equal to the last bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    return bool(one == other)


@pytest.mark.parametrize("name", PLACES)
@settings(max_examples=3)
@given(st.integers(0, 2**32 - 1), st.sampled_from([None, "train", "window"]))
def test_no_test_row_reaches_a_training_episode(name: str, seed: int, normalize: str | None) -> None:
    place = PLACES[name]
    other = changed(MARKET, place.test, np.random.default_rng(seed))
    for engine in ENGINES:
        found = [rollout(place.domain(bars), engine, seed, {"normalize": normalize}, place) for bars in (MARKET, other)]
        assert same(*found)


def test_of_rows_before_the_test_the_last_one_is_seen() -> None:
    # The test above is able to fail.
    other = changed(MARKET, (499, COUNT), np.random.default_rng(0))
    for start, normalize, equal in ((484, None, False), (483, None, True), (100, "train", False)):
        place = dataclasses.replace(PLACES["random"], options={"start": start})
        found = [
            rollout(_random(bars), ENGINES[0], 0, {"normalize": normalize}, place)[1 : 2 + EPISODE]
            for bars in (MARKET, other)
        ]
        assert same(*found) == equal


@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_a_trials_training_episode_sees_no_row_of_its_own_test(seed: int, trial: int) -> None:
    # Of other trials these are training rows, so that this is said of one trial at a time.
    cut, end = trial + 140, trial + 200
    place = Place(_two_parts, (cut, end), {"trial": trial, "sample_type": "train"})
    other = changed(MARKET, place.test, np.random.default_rng(seed))
    for engine in ENGINES:
        found = []
        for bars in (MARKET, other):
            envs = vecbt.make_vec(
                _two_parts(bars),
                num_envs=4,
                window=6,
                features=FEATURES,
                order_size=1.0,
                episode_steps=EPISODE,
                **engine,
            )
            generator = np.random.default_rng(seed)
            shown: list[Any] = [envs.reset(seed=seed, options=place.options)]
            shown += [envs.step(generator.integers(0, 4, 4)) for _ in range(EPISODE)]
            envs.close()
            found.append(shown)
        assert same(*found)
