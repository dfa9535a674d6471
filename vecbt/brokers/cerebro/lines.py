"""Line buffers that move together.

Stock Backtrader advances every line of every object on every bar, one attribute at a time. Lines of one time axis can
share one clock instead: moving the clock moves them all.
"""

from __future__ import annotations

from typing import Any, NoReturn

from backtrader.linebuffer import LineBuffer
from backtrader.utils import num2date

from vecbt.errors import LookAheadError

__all__ = ["Clock", "ClockedLine", "TrustedLine", "attach"]


class Clock:
    """The bar on which a time axis stands: ``index`` counts from 0, -1 is before the first bar."""

    __slots__ = ("index",)

    def __init__(self) -> None:
        self.index = -1


class ClockedLine(LineBuffer):
    """A filled line that reads its position from a clock, and lets nobody read past it.

    While indicators are computed over the whole run, Backtrader moves lines one by one: every line has a clock of its
    own then.

    A positive offset is the future. A negative one that reaches before the first bar is an error too: a plain buffer
    would wrap round to its end, which is the future once more.
    """

    clock: Clock

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
        index = self.clock.index + ago
        if ago > 0 or index < 0:
            _refuse(ago)
        return self.array[index]  # type: ignore[no-any-return]

    def get(self, ago: int = 0, size: int = 1) -> Any:
        if ago > 0:
            _refuse(ago)
        return super().get(ago, size)

    def __call__(self, ago: Any = None) -> Any:
        if isinstance(ago, int) and ago > 0:
            _refuse(ago)
        return super().__call__(ago)

    def datetime(self, ago: int = 0, tz: Any = None, naive: bool = True) -> Any:
        return num2date(self[ago], tz=tz or self._tz, naive=naive)


class TrustedLine(ClockedLine):
    """The same without the guard, for strategies that are trusted to read any bar."""

    def __getitem__(self, ago: int) -> float:
        return self.array[self.clock.index + ago]  # type: ignore[no-any-return]

    get = LineBuffer.get
    __call__ = LineBuffer.__call__


def attach(line: LineBuffer, clock: Clock, trusted: bool) -> None:
    """Turn a plain line buffer into one that follows ``clock``, in place."""
    line.__class__ = TrustedLine if trusted else ClockedLine
    for name in ("_idx", "lencount"):  # now properties; what is left in the instance would only mislead
        line.__dict__.pop(name, None)
    line.clock = clock


def _refuse(ago: int) -> NoReturn:
    if ago > 0:
        raise LookAheadError(
            f"a line was read {ago} bar(s) ahead: index [{ago}] is the future, which no agent can know. "
            f"[0] is the current bar, [-{ago}] is {ago} bar(s) ago; trusted=True lifts the guard"
        )
    raise LookAheadError(
        f"a line was read {-ago} bar(s) back, which is before the first bar of the feed: an indicator with a period of "
        f"{-ago + 1} gives the strategy the warm-up it needs"
    )
