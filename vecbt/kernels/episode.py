"""The life of an episode around its broker: where it begins, what a bar changes, what a step returns."""

from __future__ import annotations

import math

import numpy as np

from vecbt.kernels import block as b
from vecbt.kernels._jit import helper
from vecbt.kernels.account import mark_bar, open_account, summarize
from vecbt.kernels.actions import clear_queue
from vecbt.kernels.layout import (
    Asset,
    Choice,
    Clock,
    Param,
    Phase,
    Reason,
    RewardKind,
    Row,
    Section,
    Setting,
    Stat,
    Track,
)
from vecbt.kernels.observe import write_observation
from vecbt.kernels.reward import log_return, profit, sample_bar, stateful_reward
from vecbt.kernels.sampling import draw_episode

__all__ = [
    "cut_short",
    "decide",
    "end_step",
    "enter_bar",
    "has_next",
    "keep_outputs",
    "open_episode",
    "write_closes",
    "write_outputs",
]

_SECOND = 1_000_000_000


@helper
def _count_on(block: int, e: int) -> None:
    """Number environment ``e``'s next episode; a seed that waits for it starts the count again."""
    clock, choice, seed = b.clock(block)[e], b.choices(block)[e], b.seeds(block)[e]
    clock[Clock.EPISODE] += 1
    if choice[Choice.SEED] != 0:
        choice[Choice.SEED] = 0
        clock[Clock.EPISODE] = 0
        for word in range(seed.shape[0]):
            seed[word] = b.next_seeds(block)[e, word]


@helper
def has_next(block: int, e: int) -> bool:
    """Whether there is a trial for environment ``e``'s next episode."""
    choice, count = b.choices(block)[e], b.sections(block)[b.section(block)[e], 1]
    if choice[Choice.TRIAL] != 0:
        return True
    if b.settings(block)[Setting.SEQUENTIAL] == 0:
        return bool(count > 0)
    number = 0 if choice[Choice.SEED] != 0 else b.clock(block)[e, Clock.EPISODE] + 1
    return bool(number * b.clock(block).shape[0] + e < count)


@helper
def open_episode(block: int, e: int) -> None:
    """Begin environment ``e``'s next episode, chosen or drawn; sets everything but the broker to its start."""
    _count_on(block, e)
    clock, settings, params = b.clock(block)[e], b.settings(block), b.params(block)
    section = b.section(block)[e]
    first_trial, trial_count = b.sections(block)[section, 0], b.sections(block)[section, 1]
    bars, seed, choice = settings[Setting.BARS], b.seeds(block)[e], b.choices(block)[e]
    chosen_trial = choice[Choice.TRIAL] - 1
    if settings[Setting.SEQUENTIAL] != 0 and chosen_trial < 0:
        chosen_trial = first_trial + clock[Clock.EPISODE] * b.clock(block).shape[0] + e
    trial, start, end = draw_episode(
        seed[0],
        seed[1],
        clock[Clock.EPISODE],
        b.trials(block),
        first_trial,
        trial_count,
        b.starts(block),
        b.rank(block),
        params[Param.TRIAL_ALPHA.value :],
        settings[Setting.LOOKBACK],
        bars,
        section == Section.TARGET_TEST and settings[Setting.ALIGNED] != 0,
        chosen_trial,
        choice[Choice.START] - 1,
    )
    choice[Choice.TRIAL] = choice[Choice.START] = 0
    clock[Clock.PHASE] = Phase.RUNNING
    clock[Clock.BAR] = start
    clock[Clock.START] = start
    clock[Clock.END] = end
    clock[Clock.STEP] = 0
    clock[Clock.TRIAL] = trial
    clock[Clock.REASON] = Reason.NONE
    open_account(b.track(block)[e], params[Param.START_CASH])
    reward_state = b.reward_state(block)[e]
    for i in range(reward_state.shape[0]):
        reward_state[i] = 0.0
    clear_queue(b.queue(block)[e])
    b.stop_requests(block)[e] = False
    lot, sizes, ohlc = params[Param.LOT], b.sizes(block)[e], b.ohlc(block)
    for k in range(sizes.shape[0]):
        size = b.order_size(block)[k]
        if size < 0.0:  # a fraction of the starting cash, at the episode's first close
            size = math.floor(-size * params[Param.START_CASH] / ohlc[start, k, 3] / lot) * lot
        sizes[k] = size


@helper
def write_closes(block: int, e: int) -> None:
    """Enter the closes of the current bar into the account row."""
    closes, row = b.ohlc(block)[b.clock(block)[e, Clock.BAR]], b.rows(block)[e]
    for k in range(closes.shape[0]):
        row[Row.ASSETS + k * 4 + Asset.CLOSE] = closes[k, 3]


@helper
def _is_flat(block: int, e: int) -> bool:
    row = b.rows(block)[e]
    for k in range(b.ohlc(block).shape[1]):
        if row[Row.ASSETS + k * 4 + Asset.SIZE] != 0.0:
            return False
    return True


@helper
def enter_bar(block: int, e: int) -> None:
    """Move to the bar whose account row the broker has just written; a call that it causes goes to the clock."""
    clock = b.clock(block)[e]
    clock[Clock.BAR] += 1
    write_closes(block, e)
    reason = mark_bar(b.rows(block)[e], b.track(block)[e], b.params(block), b.ohlc(block).shape[1])
    if clock[Clock.PHASE] == Phase.RUNNING:
        clock[Clock.REASON] = reason
    if b.settings(block)[Setting.REWARD] == RewardKind.BTGYM:
        flat = _is_flat(block, e)
        sample_bar(b.reward_state(block)[e], b.rows(block)[e], b.track(block)[e], b.params(block), flat)


@helper
def decide(block: int, e: int) -> None:
    """See whether the episode ends with the bar that has been entered."""
    clock = b.clock(block)[e]
    if clock[Clock.PHASE] == Phase.CLOSING:
        clock[Clock.PHASE] = Phase.ENDED
        return
    if clock[Clock.REASON] == Reason.NONE and b.stop_requests(block)[e]:
        clock[Clock.REASON] = Reason.STRATEGY
    at_end = clock[Clock.BAR] == clock[Clock.END]
    if clock[Clock.REASON] != Reason.NONE:
        closes_out = b.settings(block)[Setting.CLOSE_OUT] != 0 and clock[Clock.REASON] != Reason.RUIN
        clock[Clock.PHASE] = Phase.CLOSING if closes_out and not at_end and not _is_flat(block, e) else Phase.ENDED
    elif at_end:
        clock[Clock.REASON] = Reason.STEP_LIMIT if b.settings(block)[Setting.BARS] > 0 else Reason.DATA_END
        clock[Clock.PHASE] = Phase.ENDED


@helper
def end_step(block: int, e: int) -> None:
    """The reward and the flags of a step, and the statistics of an episode that has ended with it."""
    clock, track, row, rewards = b.clock(block)[e], b.track(block)[e], b.rows(block)[e], b.rewards(block)
    params, kind = b.params(block), b.settings(block)[Setting.REWARD]
    ended = clock[Clock.PHASE] == Phase.ENDED
    terminated = ended and clock[Clock.REASON] >= Reason.DRAWDOWN_CALL
    if kind == RewardKind.LOG_RETURN:  # the default comes first: this runs twenty million times a second
        rewards[e] = log_return(b.previous(block)[e], row, params)
    elif kind == RewardKind.PNL:
        rewards[e] = profit(b.previous(block)[e], row, params)
    elif kind != RewardKind.EXTERNAL:
        rewards[e] = stateful_reward(block, e, kind, terminated or _is_flat(block, e))
    track[Track.REWARD] += rewards[e]
    b.terminations(block)[e] = terminated
    b.truncations(block)[e] = ended and not terminated
    if ended:
        _write_stats(block, e)


@helper
def _write_stats(block: int, e: int) -> None:
    """The statistics of an episode that has ended."""
    clock, stat = b.clock(block)[e], b.stats(block)[e]
    summarize(stat, b.rows(block)[e], b.track(block)[e], b.params(block), b.ohlc(block).shape[1])
    stat[Stat.L] = clock[Clock.STEP]
    stat[Stat.REASON] = clock[Clock.REASON]
    stat[Stat.EPISODE] = clock[Clock.EPISODE]
    stored = clock[Clock.BAR] < b.settings(block)[Setting.STORED]
    stat[Stat.START] = clock[Clock.START] if stored else -1
    stat[Stat.END] = clock[Clock.BAR] if stored else -1
    section, sections = 0, b.sections(block)
    while section < 3 and clock[Clock.TRIAL] >= sections[section + 1, 2]:
        section += 1  # of sections that begin with the same trial all but the last are empty
    stat[Stat.TRIAL] = clock[Clock.TRIAL] - sections[section, 2] if stored else clock[Clock.EPISODE]
    stat[Stat.TRIAL_TYPE] = section // 2
    stat[Stat.SAMPLE_TYPE] = section % 2


@helper
def cut_short(block: int, e: int) -> None:
    """End an episode that cannot go on, because its process has died, where it stands."""
    clock = b.clock(block)[e]
    clock[Clock.PHASE] = Phase.ENDED
    clock[Clock.REASON] = Reason.WORKER_DEATH
    b.rewards(block)[e] = 0.0
    b.truncations(block)[e] = True
    _write_stats(block, e)


@helper
def write_outputs(block: int, e: int) -> None:
    """Observation and info columns of environment ``e`` as it stands."""
    clock, row = b.clock(block)[e], b.rows(block)[e]
    bar = clock[Clock.BAR]
    write_observation(block, e, bar)
    floats, ints = b.info_floats(block), b.info_ints(block)
    floats[0, e] = row[Row.CASH]
    floats[1, e] = row[Row.VALUE]
    floats[2, e] = b.track(block)[e, Track.DRAWDOWN]
    floats[3, e] = row[Row.COSTS]
    stored = bar < b.settings(block)[Setting.STORED]
    ints[0, e] = bar if stored else -1
    ints[1, e] = clock[Clock.START] if stored else -1
    ints[2, e] = b.stamps(block)[bar] // _SECOND
    status = b.order_status(block)[e]
    assets = status.shape[0]
    for k in range(assets):
        column = Row.ASSETS + k * 4
        floats[4 + k, e] = row[column + Asset.SIZE]
        floats[4 + assets + k, e] = row[column + Asset.PRICE]
        status[k] = np.int8(row[column + Asset.STATUS])


@helper
def keep_outputs(block: int, e: int) -> None:
    """Copy what an ended environment shows before its next episode begins in the same step."""
    market, account = b.market(block)[e], b.account(block)[e]
    for i in range(market.shape[0]):
        b.final_market(block)[e, i] = market[i]
    for i in range(account.shape[0]):
        b.final_account(block)[e, i] = account[i]
    floats, ints = b.info_floats(block), b.info_ints(block)
    for i in range(floats.shape[0]):
        b.final_info_floats(block)[i, e] = floats[i, e]
    for i in range(ints.shape[0]):
        b.final_info_ints(block)[i, e] = ints[i, e]
    for k in range(b.order_status(block).shape[1]):
        b.final_order_status(block)[e, k] = b.order_status(block)[e, k]
