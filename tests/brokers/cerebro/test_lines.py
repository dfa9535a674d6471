from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from backtrader.linebuffer import LineBuffer
from hypothesis import given
from hypothesis import strategies as st

import vecbt
from tests.envs import make
from vecbt.brokers.cerebro.lines import Clock, ClockedLine, TrustedLine, attach
from vecbt.errors import LookAheadError

# Numbers that are days too, so that a line can be read as time stamps.
VALUES = [737_000.25 + 1.375 * bar for bar in range(12)]


def filled(values: list[float] = VALUES) -> LineBuffer:
    """A stock line with all its values, before its first bar."""
    line = LineBuffer()
    for value in values:
        line.forward(value)
    line.home()
    return line


def clocked(clock: Clock | None = None, *, trusted: bool = False) -> Any:
    line = filled()
    attach(line, clock or Clock(), trusted)
    return line


def standing(line: Any, bar: int) -> Any:
    line.home()
    line.advance(bar + 1)
    return line


READS: dict[str, Callable[[Any, int], Any]] = {
    "index": lambda line, ago: line[ago],
    "get": lambda line, ago: line.get(ago),
    "datetime": lambda line, ago: line.datetime(ago),
    "date": lambda line, ago: line.date(ago),
    "time": lambda line, ago: line.time(ago),
    "dt": lambda line, ago: line.dt(ago),
    "tm": lambda line, ago: line.tm(ago),
    "tm_raw": lambda line, ago: line.tm_raw(ago),
    "tm_lt": lambda line, ago: line.tm_lt(0.3, ago),
    "tm_le": lambda line, ago: line.tm_le(0.3, ago),
    "tm_eq": lambda line, ago: line.tm_eq(0.25, ago),
    "tm_gt": lambda line, ago: line.tm_gt(0.3, ago),
    "tm_ge": lambda line, ago: line.tm_ge(0.3, ago),
    "tm2dtime": lambda line, ago: line.tm2dtime(0.3, ago),
    "tm2datetime": lambda line, ago: line.tm2datetime(0.3, ago),
}
every_read = pytest.mark.parametrize("read", READS.values(), ids=READS)


@every_read
@pytest.mark.parametrize("trusted", [False, True], ids=["guarded", "trusted"])
def test_the_past_is_that_of_a_stock_line(read: Any, trusted: bool) -> None:
    for bar in range(len(VALUES)):
        stock, line = standing(filled(), bar), standing(clocked(trusted=trusted), bar)
        for ago in range(-bar, 1):
            assert read(line, ago) == read(stock, ago)


@every_read
@pytest.mark.parametrize("ago", [1, 5, np.int64(2)], ids=str)
def test_no_read_sees_the_future(read: Any, ago: Any) -> None:
    line = standing(clocked(), 6)
    with pytest.raises(
        LookAheadError, match=rf"read {ago} bar\(s\) ahead: index \[{ago}\] is the future.*trusted=True"
    ):
        read(line, ago)


@every_read
@pytest.mark.parametrize("ago", [-4, -9])
def test_no_read_wraps_round_to_the_end(read: Any, ago: int) -> None:
    line = standing(clocked(), 3)
    with pytest.raises(LookAheadError, match=rf"read {-ago} bar\(s\) back.*lookback = {-ago} in"):
        read(line, ago)


@every_read
def test_a_trusted_line_is_read_anywhere(read: Any) -> None:
    stock, line = standing(filled(), 6), standing(clocked(trusted=True), 6)
    for ago in range(-6, len(VALUES) - 6):
        assert read(line, ago) == read(stock, ago)


def test_several_values_at_once_are_those_of_a_stock_line() -> None:
    for bar in range(len(VALUES)):
        stock, line = standing(filled(), bar), standing(clocked(), bar)
        for ago in range(-bar, 1):
            for size in range(1, bar + ago + 2):
                assert line.get(ago, size) == stock.get(ago, size)
                assert line.get(ago=ago, size=size) == stock.get(ago, size)
    with pytest.raises(LookAheadError, match="1 bar"):
        standing(clocked(), 5).get(1, 4)


@pytest.mark.parametrize("ago", [1, 3])
def test_a_delay_into_the_future_is_refused_when_it_is_made(ago: int) -> None:
    with pytest.raises(LookAheadError, match=f"{ago} bar"):
        clocked()(ago)


@given(st.lists(st.integers(-4, 4), max_size=30))
def test_backtrader_moves_a_line_as_it_moves_its_own(moves: list[int]) -> None:
    stock, line = standing(filled(), -1), standing(clocked(), -1)
    for size in moves:
        for each in (stock, line):
            if size > 0:
                each.advance(size)
            elif size < 0:
                each.rewind(min(-size, len(each)))
            else:
                each.home()
        assert (line.idx, line.lencount, len(line), line.buflen()) == (stock.idx, stock.lencount, len(stock), 12)
        assert line.clock.index == stock.idx


def test_lines_of_one_clock_move_together() -> None:
    clock = Clock()
    lines = [clocked(clock), clocked(clock, trusted=True), clocked(clock)]
    apart = clocked()
    assert [len(line) for line in lines] == [0, 0, 0]
    for bar, value in enumerate(VALUES):
        clock.index = bar
        assert [line[0] for line in lines] == [value] * 3
        assert [len(line) for line in lines] == [bar + 1] * 3
    assert len(apart) == 0


def test_a_line_is_attached_in_place_and_again() -> None:
    line = filled()
    values, first, second = line.array, Clock(), Clock()
    for clock, trusted, cls in ((first, False, ClockedLine), (second, True, TrustedLine), (first, False, ClockedLine)):
        attach(line, clock, trusted)
        assert type(line) is cls
        assert line.clock is clock
        assert line.array is values
        assert not {"_idx", "lencount"} & set(vars(line))
    second.index = 5
    assert len(line) == 0
    first.index = 2
    assert line[0] == VALUES[2]


def test_what_is_written_goes_to_the_bar_of_the_clock() -> None:
    line, bound = clocked(), clocked()
    line.addbinding(bound)
    for each in (line, bound):
        standing(each, 4)
    line[0] = 7.0
    line.set(8.0, ago=-1)
    assert (bound[0], bound[-1], list(line.array[3:5])) == (7.0, 8.0, [8.0, 7.0])


def test_nothing_is_read_before_the_first_bar() -> None:
    line = clocked()
    for read in (lambda: line[0], lambda: line.get(), lambda: line.datetime()):
        with pytest.raises(LookAheadError, match=r"before the first bar.*not yet in set_datalines\(\)"):
            read()


def test_a_read_that_counts_from_the_first_bar_ends_with_the_current_one() -> None:
    stock, line = standing(filled(), 6), standing(clocked(), 6)
    assert line.plot() == stock.plot()
    for first in range(7):
        assert line.getzeroval(first) == stock.getzeroval(first)
        for size in range(8 - first):
            assert line.getzero(first, size) == stock.getzero(first, size)
    with pytest.raises(LookAheadError, match=r"read 1 bar.* ahead"):
        line.getzeroval(7)
    with pytest.raises(LookAheadError, match=r"read 2 bar.* ahead"):
        line.getzero(5, 4)
    for read in (line.getzeroval, line.getzero):
        with pytest.raises(LookAheadError, match=r"read 8 bar.* back"):
            read(-2)
    trusted = standing(clocked(trusted=True), 6)
    assert (trusted.getzeroval(9), trusted.getzero(5, 4)) == (VALUES[9], stock.getzero(5, 4))


@pytest.mark.parametrize("trusted", [False, True], ids=["guarded", "trusted"])
def test_a_line_of_another_class_stays_of_it(trusted: bool) -> None:
    class Own(LineBuffer):
        def twice(self) -> Any:
            return self[0] * 2.0

    line: Any = Own()
    for value in VALUES:
        line.forward(value)
    for _ in range(2):
        attach(line, Clock(), trusted)
        assert isinstance(line, Own)
        assert isinstance(line, TrustedLine if trusted else ClockedLine)
        assert standing(line, 4).twice() == VALUES[4] * 2.0
    attach(line, Clock(), not trusted)
    assert isinstance(line, ClockedLine) is trusted


class Summed(bt.Indicator):
    """Written bar by bar over parts of its own, which Backtrader leaves on the last bar."""

    lines = ("total",)

    def __init__(self) -> None:
        self.part = bt.indicators.Highest(self.data.close, period=1)
        self.inner = self.part + 0.0

    def next(self) -> None:
        self.lines.total[0] = self.inner[0]


class Later(bt.Indicator):
    """Has a line of the future inside."""

    lines = ("later",)

    def __init__(self) -> None:
        self.lines.later = bt.indicators.Highest(self.data.close, period=1)(1)


# What a strategy can make of the close, each one that could be read ahead of its bar.
LINES: dict[str, Callable[[Any], Any]] = {
    "close": lambda data: data.close,
    "indicator": lambda data: bt.indicators.Highest(data.close, period=1),
    "operation": lambda data: data.close + 0.0,
    "delay": lambda data: data.close(-1),
    "part of an indicator": lambda data: Summed(data).part,
    "operation in an indicator": lambda data: Summed(data).inner,
}


def reader(make_line: Callable[[Any], Any], read: Callable[[Any], Any] | None) -> type[vecbt.Strategy]:
    class Reader(vecbt.Strategy):
        def set_datalines(self) -> None:
            self.line = make_line(self.data)

        def next(self) -> None:
            if read is not None:
                read(self.line)

    return Reader


def run(strategy: type[vecbt.Strategy], **settings: Any) -> None:
    envs = make(1, strategy=strategy, **settings)
    envs.reset(seed=0)
    envs.step([0])
    envs.close()


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])
@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("read", ["index", "get"])
def test_no_line_of_a_strategy_is_read_ahead(name: str, read: str, fast: bool) -> None:
    with pytest.raises(LookAheadError, match="1 bar"):
        run(reader(LINES[name], lambda line: READS[read](line, 1)), fast=fast)
    run(reader(LINES[name], lambda line: READS[read](line, 0)), fast=fast)
    run(reader(LINES[name], lambda line: READS[read](line, 1)), fast=fast, trusted=True)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])
@pytest.mark.parametrize("ago", [1, np.int64(1)], ids=["int", "numpy"])
@pytest.mark.parametrize("name", [*LINES, "feed"])
def test_no_line_of_a_strategy_is_delayed_into_the_future(name: str, ago: Any, fast: bool) -> None:
    make_line = LINES.get(name, lambda data: data)
    with pytest.raises(LookAheadError, match="1 bar"):
        run(reader(lambda data: make_line(data)(ago), None), fast=fast)
    run(reader(lambda data: make_line(data)(-1), None), fast=fast)
    run(reader(lambda data: make_line(data)(ago), None), fast=fast, trusted=True)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])
@pytest.mark.parametrize("name", LINES)
def test_no_line_of_a_strategy_wraps_round(name: str, fast: bool) -> None:
    with pytest.raises(LookAheadError, match=r"5 bar.*before the first bar"):
        run(reader(LINES[name], lambda line: line[-5]), fast=fast)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])
def test_no_indicator_delays_into_the_future(fast: bool) -> None:
    with pytest.raises(LookAheadError, match="1 bar"):
        run(reader(Later, None), fast=fast)
    run(reader(Later, None), fast=fast, trusted=True)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])
def test_a_part_of_an_indicator_shows_the_current_bar(fast: bool) -> None:
    class Looker(vecbt.Strategy):
        def set_datalines(self) -> None:
            self.summed = Summed(self.data)

        def next(self) -> None:
            seen.append((self.summed.part[0], self.summed.inner[0], self.summed[0], self.data.close[0]))

    for trusted in (False, True):
        seen: list[Any] = []
        run(Looker, fast=fast, trusted=trusted)
        assert len({close for *_, close in seen}) == len(seen) > 1
        assert all(part == inner == whole == close for part, inner, whole, close in seen)
