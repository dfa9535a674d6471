from __future__ import annotations

import math

import numpy as np
import pytest

from vecbt.kernels._jit import kernel
from vecbt.kernels.sampling import beta_variate, draw_episode, draw_trial

EMPTY = np.empty(0, np.int64)


@kernel
def many_episodes(seed, trials, first, count, starts, rank, shapes, lookback, bars, out):  # type: ignore[no-untyped-def]
    for number in range(out.shape[0]):
        trial, start, end = draw_episode(
            np.uint64(seed),
            np.uint64(0),
            number,
            trials,
            first,
            count,
            starts,
            rank,
            shapes,
            lookback,
            bars,
            False,
            -1,
            -1,
        )
        out[number, 0] = trial
        out[number, 1] = start
        out[number, 2] = end


@kernel
def many_betas(alpha, beta, out):  # type: ignore[no-untyped-def]
    for number in range(out.shape[0]):
        out[number] = beta_variate(alpha, beta, np.uint64(3), np.uint64(0), np.uint64(number), np.uint64(1))


def episodes(draws: int, trials: list[tuple[int, int, int]], *, seed: int = 7, **options: object) -> np.ndarray:
    settings: dict[str, object] = {
        "first": 0,
        "count": len(trials),
        "starts": EMPTY,
        "rank": EMPTY,
        "shapes": np.ones(4),
        "lookback": 0,
        "bars": 10,
    } | options
    out = np.empty((draws, 3), np.int64)
    many_episodes(seed, np.array(trials, np.int64), *settings.values(), out)
    return out


def uniform_enough(counts: np.ndarray) -> bool:
    """Chi-square within six standard deviations of its mean."""
    expected = counts.sum() / len(counts)
    chi = ((counts - expected) ** 2 / expected).sum()
    freedom = len(counts) - 1
    return bool(abs(chi - freedom) < 6.0 * math.sqrt(2.0 * freedom))


def test_starts_are_uniform_over_all_that_leave_room() -> None:
    drawn = episodes(200_000, [(0, 100, 0)], lookback=20)
    starts = drawn[:, 1]
    assert (starts.min(), starts.max()) == (20, 89)  # the last episode ends with the last row, 99
    assert (drawn[:, 2] == starts + 10).all()
    assert uniform_enough(np.bincount(starts, minlength=90)[20:])


def test_trials_are_uniform_within_their_section() -> None:
    trials = [(row, row + 30, 0) for row in range(0, 500, 10)]
    drawn = episodes(100_000, trials, first=10, count=25)
    assert set(drawn[:, 0]) == set(range(10, 35))
    assert uniform_enough(np.bincount(drawn[:, 0])[10:35])
    for trial, start, end in drawn[:1000]:
        assert trials[trial][0] <= start
        assert end < trials[trial][1]


def test_the_look_back_may_reach_before_the_trial_but_not_before_its_floor() -> None:
    assert episodes(2_000, [(50, 100, 0)], lookback=20)[:, 1].min() == 50
    assert episodes(2_000, [(50, 100, 40)], lookback=20)[:, 1].min() == 60


def test_admitted_starts_alone_are_drawn_uniformly() -> None:
    starts = np.array([3, 4, 17, 30, 31, 32, 60, 88])
    rank = np.searchsorted(starts, np.arange(101))
    drawn = episodes(80_000, [(0, 100, 0)], starts=starts, rank=rank, lookback=4)
    counts = np.array([(drawn[:, 1] == start).sum() for start in starts])
    assert counts[0] == 0  # no room to look back
    assert counts.sum() == len(drawn)
    assert uniform_enough(counts[1:])


def test_without_a_length_an_episode_is_all_of_its_trial() -> None:
    assert episodes(3, [(5, 100, 0)], bars=0, lookback=29)[0].tolist() == [0, 29, 99]


def test_a_draw_depends_on_seed_and_number_alone() -> None:
    long, short = episodes(500, [(0, 10_000, 0)]), episodes(100, [(0, 10_000, 0)])
    assert (long[:100] == short).all()
    assert (episodes(500, [(0, 10_000, 0)], seed=8) != long).any()


def test_a_trial_is_that_of_the_episode_with_its_number() -> None:
    trials = [(row, row + 30, 0) for row in range(50)]
    drawn = episodes(200, trials)
    for number in range(200):
        assert draw_trial(np.uint64(7), np.uint64(0), number, 0, 50, 1.0, 1.0) == drawn[number, 0]


@pytest.mark.parametrize(
    ("alpha", "beta"), [(0.3, 0.4), (1.0, 3.0), (10.0, 0.8), (2.0, 2.0), (0.02, 0.02), (50.0, 3.0)]
)
def test_beta_variates_have_the_moments_of_their_distribution(alpha: float, beta: float) -> None:
    out = np.empty(200_000)
    many_betas(alpha, beta, out)
    mean = alpha / (alpha + beta)
    variance = mean * (1.0 - mean) / (alpha + beta + 1.0)
    error = math.sqrt(variance / len(out))
    assert abs(out.mean() - mean) < 5.0 * error
    assert abs(out.var() / variance - 1.0) < 0.03
    assert out.min() >= 0.0
    assert out.max() <= 1.0


def test_beta_starts_favour_what_their_shapes_say() -> None:
    recent = episodes(20_000, [(0, 1_000, 0)], shapes=np.array([1.0, 1.0, 8.0, 1.0]))[:, 1]
    assert recent.max() <= 989
    assert abs(recent.mean() / 989.0 - 8.0 / 9.0) < 0.01
