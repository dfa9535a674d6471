"""Global time: the moment up to which a causal domain's data have been seen, shared by all who use them."""

from __future__ import annotations

import dataclasses

from vecbt.errors import ConfigError
from vecbt.shm.arena import Arena, ArraySpec
from vecbt.shm.words import load, raise_to, store

__all__ = ["GlobalTime"]

_NOW, _FROZEN = range(2)


@dataclasses.dataclass(frozen=True)
class GlobalTime:
    """A moment in shared memory that only moves forward.

    Every process that maps the memory sees the same moment, and any may advance it: of several that do so at once the
    latest moment stays.

    Attributes:
        arena: The memory, with ``clock`` int64 (2,): the moment in UTC nanoseconds, and 1 if it stands still.

    Example:
        >>> clock = GlobalTime.starting_at(1_000)
        >>> clock.advance(5_000), clock.advance(3_000), clock.now
        (5000, 5000, 5000)
        >>> clock.restart(1_000)
        >>> clock.now
        1000
    """

    arena: Arena

    @classmethod
    def starting_at(cls, moment: int, *, frozen: bool = False) -> GlobalTime:
        """A clock in memory of its own.

        Args:
            moment: UTC nanoseconds.
            frozen: Whether it stands still: `advance` has no effect then.
        """
        clock = cls(Arena({"clock": ArraySpec((2,), "int64")}))
        clock.arena.arrays["clock"][:] = moment, frozen
        return clock

    @property
    def now(self) -> int:
        """The moment, in UTC nanoseconds."""
        return int(load(self.arena.arrays["clock"], _NOW))

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return bool(self.arena.arrays["clock"][_FROZEN])

    def advance(self, moment: int) -> int:
        """Move forward to a moment; an earlier one than now changes nothing, and nothing changes a frozen clock.

        Args:
            moment: UTC nanoseconds.

        Returns:
            The moment that it is now.

        Raises:
            ConfigError: If ``moment`` is no whole number of 64 bits.
        """
        if isinstance(moment, bool) or not hasattr(moment, "__index__") or not -(1 << 63) <= moment < 1 << 63:
            raise ConfigError(f"a moment must be UTC nanoseconds, a whole number of 64 bits, got {moment!r}")
        if not self.frozen:
            raise_to(self.arena.arrays["clock"], _NOW, int(moment))
        return self.now

    def restart(self, moment: int) -> None:
        """Set the clock, back too: the data begin anew."""
        store(self.arena.arrays["clock"], _NOW, int(moment))
