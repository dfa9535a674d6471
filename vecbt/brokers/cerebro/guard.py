"""Guards the lines that a strategy makes: indicators, operations on lines, delays, and what these consist of.

Until they are computed, they are Backtrader's own: an indicator may read what it likes to compute its values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backtrader.linebuffer import LineBuffer, _LineForward
from backtrader.lineiterator import LineIterator

from vecbt.brokers.cerebro.lines import Clock, TrustedLine, attach, refuse_delay

__all__ = ["follow_clock", "guard_lines", "refuse_delays"]


def refuse_delays(strategy: Any) -> None:
    """Raise if a strategy, or an indicator of it, has made a line that is delayed into the future.

    Raises:
        LookAheadError: It has, and is not trusted.
    """
    if _is_trusted(strategy):
        return
    for line in _parts(strategy):
        if isinstance(line, _LineForward):
            refuse_delay(line.ago)


def guard_lines(strategy: Any) -> None:
    """Guard computed lines that Backtrader's own loop moves."""
    trusted = _is_trusted(strategy)
    for line in strategy.lines.lines:
        attach(line, Clock(), trusted)
    for indicator in _indicators(strategy):
        _guard(indicator, trusted)


def follow_clock(strategy: Any, clock: Clock, data: Any) -> list[Any]:
    """Guard computed lines and let them follow the feeds' clock.

    Returns:
        Indicators that cannot follow: they are to be moved as Backtrader moves them.
    """
    trusted, count = _is_trusted(strategy), len(data.times)
    for line in strategy.lines.lines:
        attach(line, clock, trusted)
        if line is strategy.lines.datetime:
            line.array = data.times
        else:  # a line that a subclass has added and fills itself
            line.array.extend([float("nan")] * count)
    slow = []
    for indicator in _indicators(strategy):
        if all(len(line.array) == count for line in _lines(indicator)):
            for line in _lines(indicator):
                attach(line, clock, trusted)
            _guard_parts(indicator, clock, trusted)
        else:
            _guard(indicator, trusted)
            slow.append(indicator)
    return slow


def _guard(indicator: Any, trusted: bool) -> None:
    lines = _lines(indicator)
    for line in lines:
        attach(line, Clock(), trusted)
    _guard_parts(indicator, lines[0].clock, trusted)


def _guard_parts(indicator: Any, clock: Clock, trusted: bool) -> None:
    """Let what an indicator consists of stand where it stands.

    Backtrader moves indicators alone and leaves their parts wherever the computation has ended, on the last bar even.
    """
    count = len(_lines(indicator)[0].array)
    for part in _parts(indicator):
        for line in _lines(part):
            # Bars of another length would have other positions: such a part stays before its first bar.
            attach(line, clock if len(line.array) == count else Clock(), trusted)


def _is_trusted(strategy: Any) -> bool:
    return bool(getattr(strategy.data.p, "trusted", False))


def _indicators(owner: Any) -> list[Any]:
    # Operations on lines are single lines, without indicators of their own.
    return [] if isinstance(owner, LineBuffer) else owner._lineiterators[LineIterator.IndType]  # type: ignore[no-any-return]


def _parts(owner: Any) -> Iterator[Any]:
    for indicator in _indicators(owner):
        yield indicator
        yield from _parts(indicator)


def _lines(indicator: Any) -> list[TrustedLine]:
    return [indicator] if isinstance(indicator, LineBuffer) else indicator.lines.lines  # type: ignore[return-value]
