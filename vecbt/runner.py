"""What brings a batch of environments forward, whichever engine it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from vecbt.arrays import AnyArray, BoolArray, IntArray
from vecbt.brokers.compiled.outputs import OutputSet

__all__ = ["Runner"]


class Runner(Protocol):
    """What brings a batch forward: a pool of workers, or the compiled engine in this process.

    Attributes:
        fresh: Whether `outputs` are the caller's to keep, so that there is nothing to copy.
        sets: Where the results' arrays take turns, those of observations and those of everything else; empty where
            they are always the same.
    """

    fresh: bool

    @property
    def sets(self) -> Sequence[OutputSet]:
        """See above."""

    @property
    def outputs(self) -> Mapping[str, AnyArray]:
        """The arrays that the last call has written its results to."""

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers."""

    def reset(self) -> None:
        """Begin episodes in the environments of ``arrays["mask"]``."""

    def step(self) -> None:
        """Step every environment with ``arrays["actions"]``."""

    def take_restarted(self) -> BoolArray | None:
        """Environments whose worker has died and been started again since this was last asked; None for none."""

    def outcomes(self, env: int | None) -> Sequence[Sequence[Any] | None]:
        """Of the last ended episode the seconds that it took and its analyses by name; None where it is not known.

        Args:
            env: One environment; None for all.
        """

    def conclude(self, envs: IntArray) -> None:
        """Let go of what is left of episodes that have been stopped, and keep their outcomes.

        Args:
            envs: int64 (n,), their environments.
        """

    def settle(self) -> None:
        """Wait for a call that was interrupted and is still under way."""

    def close(self) -> None:
        """Release everything."""
