"""What happens to a slice of environments between two runs of Backtrader, compiled: a few calls per step."""

from __future__ import annotations

import numpy as np

from vecbt.arrays import FloatArray, IntArray
from vecbt.kernels import block as b
from vecbt.kernels._jit import kernel
from vecbt.kernels.actions import instruct
from vecbt.kernels.episode import (
    cut_short,
    decide,
    end_step,
    enter_bar,
    has_next,
    keep_outputs,
    open_episode,
    write_closes,
    write_outputs,
)
from vecbt.kernels.layout import Asset, Autoreset, Clock, Param, Phase, Row, Setting, Track
from vecbt.kernels.observe import account_feature

__all__ = ["account_stat", "begin_bar", "begin_step", "compile_loops", "end_bar", "open_episodes", "publish", "reopen"]


@kernel
def open_episodes(block: int, low: int, high: int) -> None:
    """Draw episodes for the environments that are RESETTING; they stay so until `publish` has shown them."""
    for e in range(low, high):
        if b.clock(block)[e, Clock.PHASE] == Phase.RESETTING:
            open_episode(block, e)
            b.clock(block)[e, Clock.PHASE] = Phase.RESETTING


@kernel
def begin_step(block: int, low: int, high: int) -> int:
    """Start a step; environments that have ended are to be reset where the mode is NEXT_STEP.

    Returns:
        Number of environments to be reset in this step.
    """
    resets = 0
    for e in range(low, high):
        phase = b.clock(block)[e, Clock.PHASE]
        b.rewards(block)[e] = 0.0
        b.terminations(block)[e] = False
        b.truncations(block)[e] = False
        if phase == Phase.RUNNING:
            b.clock(block)[e, Clock.STEP] += 1
            for k in range(b.ohlc(block).shape[1]):
                b.rows(block)[e, Row.ASSETS + k * 4 + Asset.STATUS] = 0.0
            for column in range(b.rows(block).shape[1]):
                b.previous(block)[e, column] = b.rows(block)[e, column]
        elif phase == Phase.ENDED and b.settings(block)[Setting.AUTORESET] == Autoreset.NEXT_STEP:
            b.clock(block)[e, Clock.PHASE] = Phase.RESETTING
            resets += 1
    return resets


@kernel
def begin_bar(block: int, low: int, high: int, first_bar: bool, closing_only: bool, codes: IntArray) -> None:
    """Instructions for the current bar.

    Args:
        block: Address of the batch's block.
        low: First environment.
        high: Environment after the last.
        first_bar: Whether this is the first bar of the step.
        closing_only: Whether only environments take part that close the positions of an ended episode.
        codes: int64 (high - low,), written: -1 for environments that stay where they are, else the instruction of
            the only asset, or the number of assets with one.
    """
    for e in range(low, high):
        phase = b.clock(block)[e, Clock.PHASE]
        code = -1
        if phase == Phase.CLOSING or (phase == Phase.RUNNING and not closing_only):
            code = instruct(block, e, first_bar)
            if b.instructions(block).shape[1] == 1:
                code = b.instructions(block)[e, 0]
        codes[e - low] = code


@kernel
def end_bar(block: int, low: int, high: int, codes: IntArray, enter: bool, conclude: bool) -> int:
    """Enter the bar that the brokers have written, and see which episodes end with it.

    Args:
        block: Address of the batch's block.
        low: First environment.
        high: Environment after the last.
        codes: As `begin_bar` has written them.
        enter: Whether to do the first.
        conclude: Whether to do the second; a strategy may be asked in between.

    Returns:
        Number of environments that need a further bar, only to close their positions.
    """
    closing = 0
    for e in range(low, high):
        if codes[e - low] >= 0:
            if enter:
                enter_bar(block, e)
            if conclude:
                decide(block, e)
                if b.clock(block)[e, Clock.PHASE] == Phase.CLOSING:
                    closing += 1
    return closing


@kernel
def publish(block: int, low: int, high: int, opened_only: bool) -> int:
    """Write what a step or a reset returns.

    Args:
        block: Address of the batch's block.
        low: First environment.
        high: Environment after the last.
        opened_only: Whether it was a reset: only environments that are RESETTING have news.

    Returns:
        Number of environments that have ended.
    """
    ended = 0
    for e in range(low, high):
        if b.clock(block)[e, Clock.PHASE] == Phase.RESETTING:
            b.clock(block)[e, Clock.PHASE] = Phase.RUNNING
            write_closes(block, e)
        elif opened_only:
            continue
        elif b.clock(block)[e, Clock.PHASE] == Phase.CUT:
            cut_short(block, e)
            ended += 1
        else:
            end_step(block, e)
            if b.clock(block)[e, Clock.PHASE] == Phase.ENDED:
                ended += 1
        write_outputs(block, e)
    return ended


@kernel
def reopen(block: int, low: int, high: int) -> None:
    """SAME_STEP: keep what the environments that have ended show, and mark them for their next episode, if any."""
    for e in range(low, high):
        if b.clock(block)[e, Clock.PHASE] == Phase.ENDED:
            keep_outputs(block, e)
            if has_next(block, e):
                b.clock(block)[e, Clock.PHASE] = Phase.RESETTING


@kernel
def account_stat(code: int, asset: int, row: FloatArray, track: FloatArray, params: FloatArray) -> float:
    """One of BTGym's statistics of an account; see `vecbt.kernels.observe.account_feature`."""
    return account_feature(code, asset, row, track, params)  # type: ignore[no-any-return]


def compile_loops() -> None:
    """Compile everything here, or load it from the cache; nothing is run."""
    nothing, codes, numbers = b.Block(None), np.zeros(0, np.int64), np.ones(max(len(Track), len(Param), len(Row)) + 4)
    for loop in (open_episodes, begin_step, reopen):
        loop(nothing.address, 0, 0)
    begin_bar(nothing.address, 0, 0, True, False, codes)
    end_bar(nothing.address, 0, 0, codes, True, True)
    publish(nothing.address, 0, 0, False)
    account_stat(0, 0, numbers, numbers, numbers)
