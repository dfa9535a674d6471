"""The built-in rewards against what their formulas say in plain Python, from lists of all bars so far."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecbt
from tests.envs import make, rollout
from tests.kernels.batches import Arrays
from tests.kernels.test_account import bar, make_params, make_rows
from vecbt.kernels import block as b
from vecbt.kernels._jit import kernel
from vecbt.kernels.account import mark_bar, open_account
from vecbt.kernels.layout import Asset, Param, RewardKind, Row, Setting
from vecbt.kernels.reward import log_return, profit, sample_bar, stateful_reward

CASH = 1_000.0


@functools.cache
def one_environment() -> Arrays:
    return Arrays(1)


@kernel
def run(block, rows, terminated, rewards):  # type: ignore[no-untyped-def]
    """Steps of environment 0, the last of which terminates the episode or not."""
    params, track, state = b.params(block), b.track(block)[0], b.reward_state(block)[0]
    kind, skip = b.settings(block)[Setting.REWARD], b.settings(block)[Setting.SKIP]
    open_account(track, params[Param.START_CASH])
    row, previous = b.rows(block)[0], b.previous(block)[0]
    for step in range(rewards.shape[0]):
        previous[:] = rows[step * skip]
        for i in range(step * skip + 1, step * skip + skip + 1):
            row[:] = rows[i]
            mark_bar(row, track, params, 1)
            flat = row[Row.ASSETS + Asset.SIZE] == 0.0
            if kind == RewardKind.BTGYM:
                sample_bar(state, row, track, params, flat)
        if kind == RewardKind.LOG_RETURN:
            rewards[step] = log_return(previous, row, params)
        elif kind == RewardKind.PNL:
            rewards[step] = profit(previous, row, params)
        else:
            settled = flat or (terminated and step == rewards.shape[0] - 1)
            rewards[step] = stateful_reward(block, 0, kind, settled)


Bars = list[tuple[float, float, float]]
"""(value, position, profit of a trade closed on the bar, or 0), of every bar after the first observation."""


def rewards_of(kind: RewardKind, bars: Bars, skip: int = 1, terminated: bool = False, **changes: float) -> list[float]:
    batch = one_environment()
    batch["params"][:] = make_params(**changes)
    batch["settings"][[Setting.REWARD, Setting.SKIP]] = kind, skip
    batch["reward_state"][:] = 0.0
    rewards = np.zeros(len(bars) // skip)
    run(batch.block.address, make_rows([(CASH, 0.0, 0.0), *bars]), terminated, rewards)
    return rewards.tolist()


# -- the formulas ------------------------------------------------------------------------------------------------------


def unit(low: float = 10.0, high: float = 10.0, cash: float = CASH) -> float:
    return cash * (low + high) / 100.0


def total(numbers: list[float]) -> float:
    result = 0.0
    for number in numbers:  # not sum(), which compensates from Python 3.12 on
        result += number
    return result


def open_profits(bars: Bars, scale: float, cash: float = CASH) -> list[float]:
    settled, profits = cash, []
    for value, _, closed in bars:
        if closed:
            settled = value
        profits.append((value - settled) / scale)
    return profits


def btgym(bars: Bars, skip: int, gamma: float, s: float, scale: float, cash: float = CASH) -> float:
    """The reward at the last of the bars, as BTGym computes it from queues of the last four bars."""
    u = ([0.0] * 4 + open_profits(bars, scale, cash))[-4:]
    p = ([0.0] * 4 + [closed / scale for _, _, closed in bars])[-4:]
    d = len(list(itertools.takewhile(lambda held: held, [size != 0.0 for _, size, _ in reversed(bars)])))
    if d == 0:
        shaping = 0.0
    else:
        if d < skip:
            before, after = [0.0], u[-d:]
        elif d < 2 * skip:
            before, after = u[max(-(skip + d), -4) : -skip], u[-skip:]
        else:
            before, after = u[max(-2 * skip, -4) : -skip], u[-skip:]
        shaping = gamma * (total(after) / len(after)) - total(before) / len(before)
    return min(max(s * (10.0 * shaping + 10.0 * total(p[-skip:])), -abs(s)), abs(s))


def potentials(
    steps: list[Bars], gamma: float, s: float, scale: float, cash: float = CASH, terminated: bool = False
) -> list[float]:
    rewards, before, realized = [], 0.0, 0.0
    bars: Bars = []
    for number, step in enumerate(steps):
        bars += step
        last = terminated and number == len(steps) - 1
        after = 0.0 if last or bars[-1][1] == 0.0 else open_profits(bars, scale, cash)[-1]
        earned = total([closed for _, _, closed in bars])  # as the account has it: from the start
        rewards.append(s * (10.0 * (gamma * after - before) + 10.0 * ((earned - realized) / scale)))
        before, realized = after, earned
    return rewards


def sharpes(values: list[float], s: float) -> list[float]:
    a = b = 0.0
    rewards = []
    for before, value in itertools.pairwise(values):
        r = value / before - 1.0
        variance = b - a * a
        d = 0.0
        if variance >= 1e-12:
            d = (b * (r - a) - 0.5 * a * (r * r - b)) / (variance * math.sqrt(variance))
        rewards.append(min(max(d, -10.0), 10.0) * s)
        a, b = a + 0.01 * (r - a), b + 0.01 * (r * r - b)
    return rewards


many_bars = st.lists(bar, min_size=1, max_size=40)
scales = st.sampled_from([1.0, 0.3, 25.0, -2.0])
gammas = st.sampled_from([1.0, 0.99, 0.5])


@given(many_bars, st.sampled_from([1, 2, 3]), gammas, scales)
def test_btgym(bars: Bars, skip: int, gamma: float, scale: float) -> None:
    got = rewards_of(RewardKind.BTGYM, bars, skip, gamma=gamma, reward_scale=scale, target_scale=30.0)
    assert got == [
        btgym(bars[: end * skip], skip, gamma, scale, unit(high=30.0)) for end in range(1, len(bars) // skip + 1)
    ]


def test_btgym_adds_the_oldest_bar_first() -> None:
    # Values with all their digits: hypothesis likes round ones, which add up alike in any order.
    values = np.random.default_rng(1).uniform(900.0, 1_100.0, 300).tolist()
    bars: Bars = [(value, 1.0, 0.0) for value in values]
    got = rewards_of(RewardKind.BTGYM, bars, 3, gamma=0.99, reward_scale=100.0)
    assert got == [btgym(bars[:end], 3, 0.99, 100.0, unit()) for end in range(3, 301, 3)]


def test_btgym_by_hand() -> None:
    bars: Bars = [(1_002.0, 5.0, 0.0), (1_006.0, 5.0, 0.0), (1_005.0, 0.0, 5.0), (1_005.0, 0.0, 0.0)]
    got = rewards_of(RewardKind.BTGYM, bars, gamma=0.5)
    # u is 2, 6, 0, 0 over 200. On the third bar what the position was worth is paid again.
    assert got == pytest.approx([0.05, 0.05, 0.25, 0.0])
    bound = rewards_of(RewardKind.BTGYM, [(1_500.0, 5.0, 0.0), (500.0, 5.0, 0.0)], gamma=1.0, reward_scale=0.1)
    assert bound == [0.1, -0.1]


@given(many_bars, st.sampled_from([1, 2, 5]), gammas, scales, st.booleans())
def test_btgym_potential(bars: Bars, skip: int, gamma: float, scale: float, terminated: bool) -> None:
    bars = bars[: len(bars) // skip * skip]
    steps = [bars[i : i + skip] for i in range(0, len(bars), skip)]
    got = rewards_of(
        RewardKind.BTGYM_POTENTIAL, bars, skip, terminated, gamma=gamma, reward_scale=scale, drawdown_scale=40.0
    )
    assert got == potentials(steps, gamma, scale, unit(low=40.0), terminated=terminated)


@pytest.mark.parametrize("terminated", [False, True])
def test_the_potential_adds_nothing_from_flat_to_flat(terminated: bool) -> None:
    bars: Bars = [(1_030.0, 2.0, 0.0), (990.0, 2.0, 0.0), (1_004.0, 0.0, 4.0), (1_001.0, -1.0, 0.0)]
    *closed, last = rewards_of(RewardKind.BTGYM_POTENTIAL, bars, terminated=terminated, gamma=1.0)
    assert sum(closed) == pytest.approx(10.0 * 4.0 / unit())
    assert last == pytest.approx(0.0 if terminated else 10.0 * -3.0 / unit())


@given(st.lists(st.floats(500.0, 2_000.0), min_size=1, max_size=60), scales)
def test_differential_sharpe(values: list[float], scale: float) -> None:
    bars: Bars = [(value, 0.0, 0.0) for value in values]
    assert rewards_of(RewardKind.DIFFERENTIAL_SHARPE, bars, reward_scale=scale) == sharpes([CASH, *values], scale)


def test_differential_sharpe_begins_with_nothing_and_is_bounded() -> None:
    values = [CASH, 1_000.01, *[1_000.01] * 3, 2_000.0, 2_000.0]
    bars: Bars = [(value, 0.0, 0.0) for value in values[1:]]
    got = rewards_of(RewardKind.DIFFERENTIAL_SHARPE, bars, reward_scale=3.0)
    assert got[0] == 0.0
    assert got[1:4] == [0.0] * 3  # a variance of 1e-12 and less
    assert rewards_of(RewardKind.DIFFERENTIAL_SHARPE, [(1_001.0, 0.0, 0.0), (500.0, 0.0, 0.0)], reward_scale=3.0)[
        1
    ] in (
        -30.0,
        30.0,
    )


def test_the_differential_sharpe_ratio_is_a_derivative() -> None:
    """Equation 5 of the paper: S moves by eta times the reward, to the first order in eta."""
    random = np.random.default_rng(4)
    values = CASH * np.cumprod(1.0 + np.r_[0.0, random.normal(1e-3, 0.01, 400)])
    rewards = rewards_of(RewardKind.DIFFERENTIAL_SHARPE, [(value, 0.0, 0.0) for value in values[1:]])
    returns = values[1:] / values[:-1] - 1.0

    def sharpe(count: int, eta: float) -> float:
        a = b = 0.0
        for i, r in enumerate(returns[: count + 1]):
            step = 0.01 if i < count else eta
            a, b = a + step * (r - a), b + step * (r * r - b)
        return float(a / math.sqrt(b - a * a))

    for count in (50, 399):
        slope = (sharpe(count, 1e-6) - sharpe(count, 0.0)) / 1e-6
        assert rewards[count] == pytest.approx(slope, rel=1e-3)


@given(many_bars, st.sampled_from([1, 3]), scales)
def test_log_return_and_profit(bars: Bars, skip: int, scale: float) -> None:
    values = [CASH, *(value for value, _, _ in bars)][::skip]
    pairs = list(itertools.pairwise(values))
    got = rewards_of(RewardKind.LOG_RETURN, bars, skip, reward_scale=scale)
    assert got == [math.log(value / before) * scale for before, value in pairs]
    got = rewards_of(RewardKind.PNL, bars, skip, reward_scale=scale)
    assert got == [(value - before) * scale for before, value in pairs]


def test_the_logarithm_stops_at_a_hundred_millionth_of_the_start() -> None:
    assert rewards_of(RewardKind.LOG_RETURN, [(-50.0, 1.0, 0.0)]) == [math.log(1e-8 * CASH / CASH)]


# -- in the environment ------------------------------------------------------------------------------------------------


class Recording(vecbt.Strategy):
    """Keeps (episode, step, value, position, realized profit) of every bar."""

    bars: list[tuple[int, int, float, float, float]] = []  # noqa: RUF012

    def get_done(self) -> bool:
        episode = self.episode
        account = episode.account
        self.bars.append((episode.number, episode.step, account.value, account.position(), account.realized))
        return False


def bars_by_step(number: int) -> list[Bars]:
    """The recorded bars of an episode, with the profit of each."""
    steps: dict[int, Bars] = {}
    before = 0.0
    for episode, step, value, size, realized in Recording.bars:
        if episode == number:
            steps.setdefault(step, []).append((value, size, realized - before))
            before = realized
    return list(steps.values())


@pytest.mark.parametrize("skip", [1, 2, 3])
@pytest.mark.parametrize("kind", ["btgym", "btgym_potential", "differential_sharpe"])
def test_rewards_of_episodes(kind: Any, skip: int) -> None:
    Recording.bars.clear()
    settings: dict[str, Any] = {"target_call": 30.0, "gamma": 0.9, "reward_scale": 1.5, "skip_frame": skip}
    envs = make(1, strategy=Recording, reward=kind, order_size=40, autoreset_mode="SameStep", **settings)
    envs.reset(seed=5)
    got: list[list[float]] = [[]]
    stats = []
    random = np.random.default_rng(0)
    while len(got) < 4:
        _, rewards, _, truncations, infos = envs.step(random.integers(0, 4, 1))
        got[-1].append(float(rewards[0]))
        if truncations[0]:
            stats.append(infos["final_info"]["episode_stats"]["r"][0])
            got.append([])
    envs.close()
    cash = 10_000.0
    scale = unit(10.0, 30.0, cash)
    for number, rewards in enumerate(got[:-1]):
        steps = bars_by_step(number)
        assert len(steps) == len(rewards) == 20
        bars = [one for step in steps for one in step]
        if kind == "btgym":
            expected = [btgym(bars[: end * skip], skip, 0.9, 1.5, scale, cash) for end in range(1, 21)]
        elif kind == "btgym_potential":
            expected = potentials(steps, 0.9, 1.5, scale, cash)
        else:
            expected = sharpes([cash, *(step[-1][0] for step in steps)], 1.5)
        if kind == "differential_sharpe":
            assert rewards == expected
        else:  # profits of single trades are differences of sums here
            assert rewards == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert any(rewards)
        assert stats[number] == total(rewards)


def test_the_preset_of_btgym() -> None:
    given: dict[str, Any] = {
        "latency": 1,
        "reward": "btgym",
        "drawdown_call": 10.0,
        "target_call": 10.0,
        "shortcash": False,
    }
    given["close_out"] = True
    envs = [
        make(4, order_size=40, **settings)
        for settings in ({"preset": "btgym"}, given, {"preset": "btgym", "latency": 0})
    ]
    preset, spelled_out, at_once = (rollout(each, 30) for each in envs)
    assert preset == spelled_out
    assert preset != at_once
    for each in envs:
        each.close()


@pytest.mark.parametrize("close_out", [False, True])
def test_a_call_takes_the_potential_back(close_out: bool) -> None:
    envs = make(
        1,
        reward="btgym_potential",
        drawdown_call=0.2,
        gamma=1.0,
        order_size=90,
        close_out=close_out,
        episode_steps=400,
    )
    _, infos = envs.reset(seed=0)
    paid = 0.0
    for _ in range(400):
        _, rewards, terminations, _, infos = envs.step([0 if infos["position"][0] else 1])
        paid += float(rewards[0])
        if terminations[0]:
            break
    assert terminations[0]
    assert infos["episode_stats"]["open"][0] == (not close_out)
    assert infos["episode_stats"]["trades"][0] == close_out
    gained = infos["value"][0] - 10_000.0 if close_out else 0.0  # what is still open is not paid
    assert paid == pytest.approx(10.0 * gained / unit(0.2, 10.0, 10_000.0))
    envs.close()
