"""Which trial and which rows an episode gets: arithmetic on the domain's tables, the same in every engine.

A draw depends on the environment's seed and the number of the episode alone.
"""

from __future__ import annotations

import math

import numpy as np

from vecbt.kernels._jit import helper, kernel
from vecbt.kernels.philox import below, philox, unit

__all__ = ["beta_variate", "draw_episode", "draw_start", "draw_trial"]

_EPISODE, _TRIAL_BETA, _EPISODE_BETA = np.uint64(0), np.uint64(1), np.uint64(2)
_0, _1 = np.uint64(0), np.uint64(1)


@helper
def _normal(u: float, v: float) -> float:
    """A standard normal variate by Box and Muller from two numbers in ``[0, 1)``."""
    return math.sqrt(-2.0 * math.log(1.0 - u)) * math.cos(2.0 * math.pi * v)


@kernel
def gamma_variate(
    shape: float, key0: np.uint64, key1: np.uint64, episode: np.uint64, purpose: np.uint64, lane: np.uint64
) -> float:
    """Logarithm of a gamma variate: Marsaglia and Tsang, "A simple method for generating gamma variables" (2000).

    Shapes below 1 are boosted by a power of a uniform variate; in logarithms, so that tiny shapes do not underflow.
    """
    boosted = shape if shape >= 1.0 else shape + 1.0
    d = boosted - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    attempt = np.uint64(0)
    while True:
        w0, w1, w2, w3 = philox(key0, key1, episode, purpose, lane, attempt)
        attempt += _1
        x = _normal(unit(w0), unit(w1))
        v = (1.0 + c * x) ** 3
        if v <= 0.0:
            continue
        u = 1.0 - unit(w2)
        if math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
            logarithm = math.log(d * v)
            if shape < 1.0:
                logarithm += math.log(1.0 - unit(w3)) / shape
            return logarithm


@kernel
def beta_variate(
    alpha: float, beta: float, key0: np.uint64, key1: np.uint64, episode: np.uint64, purpose: np.uint64
) -> float:
    """A Beta(alpha, beta) variate in ``[0, 1]``, as the share of the first of two gamma variates."""
    x = gamma_variate(alpha, key0, key1, episode, purpose, np.uint64(0))
    y = gamma_variate(beta, key0, key1, episode, purpose, np.uint64(1))
    return 1.0 / (1.0 + math.exp(y - x))


@helper
def draw_position(
    count: int,
    word: np.uint64,
    alpha: float,
    beta: float,
    key0: np.uint64,
    key1: np.uint64,
    episode: np.uint64,
    purpose: np.uint64,
) -> int:
    """A position in ``[0, count)``: uniform, or by Beta(alpha, beta) from the first to the last."""
    if alpha == 1.0 and beta == 1.0:
        position = below(word, count)
    else:
        position = min(int(beta_variate(alpha, beta, key0, key1, episode, purpose) * count), count - 1)
    return position


@helper
def _trial_of(
    key0: np.uint64,
    key1: np.uint64,
    episode: np.uint64,
    first: int,
    count: int,
    alpha: float,
    beta: float,
    word: np.uint64,
) -> int:
    trial = first
    if count > 1:
        trial += draw_position(count, word, alpha, beta, key0, key1, episode, _TRIAL_BETA)
    return trial


@kernel
def draw_trial(key0: np.uint64, key1: np.uint64, number: int, first: int, count: int, alpha: float, beta: float) -> int:
    """The trial of draw ``number``, one of ``count`` from ``first`` on; the same as an episode of that number gets."""
    episode = np.uint64(number)
    word, _, _, _ = philox(key0, key1, episode, _EPISODE, _0, _0)
    return _trial_of(key0, key1, episode, first, count, alpha, beta, word)


@helper
def _start_of(
    key0: np.uint64,
    key1: np.uint64,
    episode: np.uint64,
    trials: np.ndarray,
    trial: int,
    starts: np.ndarray,
    rank: np.ndarray,
    alpha: float,
    beta: float,
    lookback: int,
    bars: int,
    aligned: bool,
    word: np.uint64,
) -> int:
    first = max(trials[trial, 0], trials[trial, 2] + lookback)
    if bars == 0:
        return first  # type: ignore[no-any-return]
    last = trials[trial, 1] - 1 - bars
    begin, count = first, last - first + 1
    if starts.size > 0:
        begin, count = rank[first], rank[last + 1] - rank[first]
    position = 0
    if not aligned:
        position = draw_position(count, word, alpha, beta, key0, key1, episode, _EPISODE_BETA)
    return starts[begin + position] if starts.size > 0 else begin + position  # type: ignore[no-any-return]


@kernel
def draw_start(
    key0: np.uint64,
    key1: np.uint64,
    number: int,
    trials: np.ndarray,
    trial: int,
    starts: np.ndarray,
    rank: np.ndarray,
    alpha: float,
    beta: float,
    lookback: int,
    bars: int,
    aligned: bool,
) -> int:
    """The first row of episode ``number`` within a trial; the arguments are those of `draw_episode`."""
    episode = np.uint64(number)
    _, word, _, _ = philox(key0, key1, episode, _EPISODE, _0, _0)
    return _start_of(key0, key1, episode, trials, trial, starts, rank, alpha, beta, lookback, bars, aligned, word)


@helper
def draw_episode(
    key0: np.uint64,
    key1: np.uint64,
    number: int,
    trials: np.ndarray,
    first_trial: int,
    trial_count: int,
    starts: np.ndarray,
    rank: np.ndarray,
    shapes: np.ndarray,
    lookback: int,
    bars: int,
    aligned: bool,
    chosen_trial: int,
    chosen_start: int,
) -> tuple[int, int, int]:
    """The trial and the first and last row of episode ``number``.

    Args:
        key0: Lower word of the environment's seed.
        key1: Upper word.
        number: Number of the episode since the last seeding.
        trials: int64 (M, 3), for each trial its first row, the row after its last, and the first row that may be
            looked back to.
        first_trial: First trial of the section to draw from.
        trial_count: Number of trials in it; at least 1.
        starts: int64 (S,), the rows at which an episode may start, ascending; empty when all may.
        rank: int64 (T + 1,), the number of such rows before each row; empty when all may.
        shapes: float64 (4,), alpha and beta of trials, then of episodes.
        lookback: Rows before the first observation that an episode needs.
        bars: Bars of an episode; 0 for all from the first possible row to the trial's end.
        aligned: Whether the episode starts at the first row at which it may.
        chosen_trial: The trial, if it is not to be drawn, else -1. The start is drawn as if the trial had been.
        chosen_start: The first row, if it is not to be drawn, else -1.

    Returns:
        Number of the trial, row of the first observation, row of the last. The domain has made sure that every trial
        has room for an episode.
    """
    episode = np.uint64(number)
    w0, w1, _, _ = philox(key0, key1, episode, _EPISODE, _0, _0)
    trial = chosen_trial
    if trial < 0:
        trial = _trial_of(key0, key1, episode, first_trial, trial_count, shapes[0], shapes[1], w0)
    start = chosen_start
    if start < 0:
        start = _start_of(
            key0, key1, episode, trials, trial, starts, rank, shapes[2], shapes[3], lookback, bars, aligned, w1
        )
    return trial, start, trials[trial, 1] - 1 if bars == 0 else start + bars
