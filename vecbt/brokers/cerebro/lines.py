"""Line buffers that move together and show nothing of the future.

Stock Backtrader advances every line of every object on every bar, one attribute at a time. Lines of one time axis can
share one clock instead: moving the clock moves them all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn

from backtrader.linebuffer import LineBuffer
from backtrader.lineroot import LineRoot

from vecbt.errors import LookAheadError

__all__ = ["Clock", "ClockedLine", "TrustedLine", "attach", "refuse_delay"]

# The reads of a buffer that count from the current bar, and the position of ``ago`` among their arguments.
_RELATIVE_READS = {
    "get": 0, "datetime": 0, "date": 0, "time": 0, "dt": 0, "tm": 0, "tm_raw": 0,
    "tm_lt": 1, "tm_le": 1, "tm_eq": 1, "tm_gt": 1, "tm_ge": 1, "tm2dtime": 1, "tm2datetime": 1,
}  # fmt: skip


class Clock:
    """The bar on which a time axis stands: ``index`` counts from 0, -1 is before the first bar."""

    __slots__ = ("index",)

    def __init__(self) -> None:
        self.index = -1


class TrustedLine(LineBuffer):
    """A filled line that reads its position from a clock, for strategies that are trusted to read any bar.

    While indicators are computed over the whole run, Backtrader moves lines one by one: every line has a clock of its
    own then.
    """

    clock: Clock
    unclocked: type[LineBuffer] = LineBuffer
    """The class that a line had before it was attached."""

    @property
    def idx(self) -> int:
        return self.clock.index

    @idx.setter
    def idx(self, value: int) -> None:
        self.clock.index = value

    @property
    def lencount(self) -> int:
        return self.clock.index + 1

    @lencount.setter
    def lencount(self, value: int) -> None:
        pass  # Backtrader moves it together with idx, of which it follows here

    def __len__(self) -> int:
        return self.clock.index + 1

    def __getitem__(self, ago: int) -> float:
        return self.array[self.clock.index + ago]  # type: ignore[no-any-return]


class ClockedLine(TrustedLine):
    """The same, and nobody reads past its position.

    A positive offset is the future. A negative one that reaches before the first bar is an error too: a plain buffer
    would wrap round to its end, which is the future once more. ``array`` is left as it is, because Backtrader's
    indicators compute with it.
    """

    def __getitem__(self, ago: int) -> float:
        index = self.clock.index + ago
        if ago > 0 or index < 0:
            _refuse(ago)
        return self.array[index]  # type: ignore[no-any-return]

    def __call__(self, ago: Any = None) -> Any:
        refuse_delay(ago)
        return super().__call__(ago)

    def getzeroval(self, idx: int = 0) -> Any:
        self._check_absolute(idx, idx)
        return super().getzeroval(idx)

    def getzero(self, idx: int = 0, size: int = 1) -> Any:
        self._check_absolute(idx, idx + size - 1)
        return super().getzero(idx, size)

    def _check_absolute(self, first: int, last: int) -> None:
        now = self.clock.index
        if first < 0 or last > now:
            _refuse(first - now if first < 0 else last - now)


def _guarded(name: str, position: int) -> Callable[..., Any]:
    stock = getattr(LineBuffer, name)

    @functools.wraps(stock)
    def read(self: ClockedLine, *args: Any, **kwargs: Any) -> Any:
        ago = args[position] if len(args) > position else kwargs.get("ago", 0)
        if ago > 0 or self.clock.index + ago < 0:
            _refuse(ago)
        return stock(self, *args, **kwargs)

    return read


for _name, _position in _RELATIVE_READS.items():
    setattr(ClockedLine, _name, _guarded(_name, _position))


def attach(line: LineBuffer, clock: Clock, trusted: bool) -> None:
    """Turn a line buffer, which may be the result of an operation too, into one that follows ``clock``, in place."""
    unclocked: Any = line.unclocked if isinstance(line, TrustedLine) else type(line)
    line.__class__ = _clocked_class(unclocked, trusted)
    for name in ("_idx", "lencount"):  # now properties; what is left in the instance would only mislead
        line.__dict__.pop(name, None)
    line.clock = clock


@functools.cache
def _clocked_class(unclocked: Any, trusted: bool) -> Any:
    cls = TrustedLine if trusted else ClockedLine
    if unclocked is LineBuffer:
        return cls
    namespace = {"unclocked": unclocked, "__module__": __name__}
    metaclass: Any = type(unclocked)
    return metaclass(f"{cls.__name__}Of{unclocked.__name__}", (cls, unclocked), namespace)


def refuse_delay(ago: Any) -> None:
    """Raise if ``line(ago)`` would be a line with values of later bars.

    Raises:
        LookAheadError: It would be one.
    """
    if ago is not None and not isinstance(ago, LineRoot) and ago > 0:
        raise LookAheadError(
            f"a line was to be delayed by {ago} bar(s) into the future: line({ago}) on a bar is the value of {ago} "
            f"bar(s) later, which no agent can know. line(-{ago}) is the value of {ago} bar(s) ago; trusted=True lifts "
            f"the guard"
        )


def _refuse(ago: int) -> NoReturn:
    if ago > 0:
        raise LookAheadError(
            f"a line was read {ago} bar(s) ahead: index [{ago}] is the future, which no agent can know. "
            f"[0] is the current bar, [-{ago}] is {ago} bar(s) ago; trusted=True lifts the guard"
        )
    if ago == 0:
        raise LookAheadError(
            "a line was read before the first bar: [0] is the current bar, which there is from the first call of "
            "prenext() or next() on, not yet in set_datalines() or start()"
        )
    raise LookAheadError(
        f"a line was read {-ago} bar(s) back, which is before the first bar of the feed: lookback = {-ago} in the "
        f"strategy's class gives it the warm-up that it needs"
    )
