"""The steps of many environments in one compiled loop: orders, the broker's bars, and what a step returns."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from vecbt.brokers.compiled import book as k
from vecbt.brokers.compiled.broker import next_bar, open_book
from vecbt.brokers.compiled.intake import place
from vecbt.kernels import block as b
from vecbt.kernels._jit import Native, helper
from vecbt.kernels.actions import instruct
from vecbt.kernels.episode import (
    decide,
    end_step,
    enter_bar,
    has_next,
    keep_outputs,
    open_episode,
    write_closes,
    write_outputs,
)
from vecbt.kernels.layout import Asset, Autoreset, Clock, Phase, RewardKind, Row, Setting
from vecbt.kernels.prefetch import prefetch_bar

__all__ = ["Work", "work_of"]


_AHEAD = np.uint64(4)
"""Environments between one's turn and the hint what it will read."""


class Work(IntEnum):
    """What to do with a range of environments."""

    RESET = 0  #: begin episodes where the mask says so
    STEP = 1  #: `RUN`, then `PUBLISH`
    RUN = 2  #: a step's bars
    PUBLISH = 3  #: what the step returns; somebody may have written the rewards in between


@helper
def _begin_episode(block: int, book: int, e: int) -> None:
    open_episode(block, e)
    open_book(block, book, e)
    write_closes(block, e)


@helper
def _run_bar(block: int, book: int, e: int, first_bar: bool) -> None:
    if instruct(block, e, first_bar) > 0:
        place(block, book, e)
    next_bar(block, book, e, b.clock(block)[e, Clock.BAR] + 1)
    enter_bar(block, e)
    decide(block, e)


@helper
def _run(block: int, book: int, e: int) -> None:
    """The bars of a step; an environment that is to be reset in it begins its next episode and is RESETTING."""
    clock = b.clock(block)[e]
    b.rewards(block)[e] = 0.0
    b.terminations(block)[e] = False
    b.truncations(block)[e] = False
    if clock[Clock.PHASE] == Phase.RUNNING:
        row, previous = b.rows(block)[e], b.previous(block)[e]
        clock[Clock.STEP] += 1
        for asset in range(b.order_status(block).shape[1]):
            row[Row.ASSETS + asset * 4 + Asset.STATUS] = 0.0
        if b.settings(block)[Setting.REWARD] == RewardKind.EXTERNAL:
            for column in range(row.shape[0]):
                previous[column] = row[column]
        else:  # all that the built-in rewards look at
            previous[Row.VALUE] = row[Row.VALUE]
            previous[Row.REALIZED] = row[Row.REALIZED]
        number = 0
        # A call that ends the episode on the step's last bar takes one bar more to close the positions.
        while clock[Clock.PHASE] == Phase.CLOSING or (
            clock[Clock.PHASE] == Phase.RUNNING and number < b.settings(block)[Setting.SKIP]
        ):
            _run_bar(block, book, e, number == 0)
            number += 1
    elif clock[Clock.PHASE] == Phase.ENDED and b.settings(block)[Setting.AUTORESET] == Autoreset.NEXT_STEP:
        _begin_episode(block, book, e)
        clock[Clock.PHASE] = Phase.RESETTING


@helper
def _publish(block: int, book: int, e: int) -> int:
    """What environment ``e`` shows after a step; returns how many of its orders wait."""
    clock = b.clock(block)[e]
    if clock[Clock.PHASE] == Phase.RESETTING:
        clock[Clock.PHASE] = Phase.RUNNING
    else:
        end_step(block, e)
        if clock[Clock.PHASE] == Phase.ENDED and b.settings(block)[Setting.AUTORESET] == Autoreset.SAME_STEP:
            write_outputs(block, e)
            keep_outputs(block, e)
            if has_next(block, e):
                _begin_episode(block, book, e)
    write_outputs(block, e)
    counts = k.counts(book)[e]
    return counts[k.Queue.PENDING] + counts[k.Queue.SUBMITTED]  # type: ignore[no-any-return]


def _make_work(single: bool) -> Native:
    def work(kind: int, block: int, book: int, low: int, high: int) -> int:
        longest = 0
        if single:
            # This frees every loop over assets of everything but its only turn, a third of a step's time. Here and in
            # no function of its own, from which LLVM would have dropped the assumptions before it inlines it.
            b.assume(b.ohlc(block).shape[1] == 1)
            b.assume(b.actions(block).shape[1] == 1)
            b.assume(b.instructions(block).shape[1] == 1)
            b.assume(b.sizes(block).shape[1] == 1)
            b.assume(b.order_status(block).shape[1] == 1)
            b.assume(k.held(book).shape[1] == 1)
            b.assume(k.schemes(book).shape[0] == 1)
            b.assume(k.entries(book).shape[1] == 1)
        # Unsigned: numba lets a signed index count from the end, which costs a step a sixth of its time.
        end = np.uint64(high)
        for e in range(np.uint64(low), end):
            if e + _AHEAD < end:
                prefetch_bar(block, e + _AHEAD)  # type: ignore[arg-type]
            if kind == Work.RESET:
                if b.mask(block)[e]:
                    _begin_episode(block, book, e)
                    write_outputs(block, e)
                continue
            if kind != Work.PUBLISH:
                _run(block, book, e)
            if kind != Work.RUN:
                longest = max(longest, _publish(block, book, e))
        return longest

    return Native(work)


_ON_ONE, _ON_SEVERAL = _make_work(True), _make_work(False)


def work_of(assets: int) -> Native:
    """The function that does a piece of work for the environments ``low <= e < high``.

    It takes the kind of `Work`, the addresses of the batch's block and of the broker's book, the first environment and
    the one after the last, and returns the most orders that wait in any of them. There are two, each compiled when it
    is first asked for: one asset is the usual case, and a third quicker for a loop that knows it.

    Args:
        assets: How many there are.
    """
    return _ON_ONE if assets == 1 else _ON_SEVERAL
