"""How a batch is spread over worker processes: what its user may choose."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from vecbt.errors import ConfigError, UnknownNameError
from vecbt.shm.process import usable_cores
from vecbt.shm.recovery import Recovery

__all__ = ["WorkerOptions"]

_DEATHS = ("raise", "restart")


@dataclasses.dataclass(frozen=True)
class WorkerOptions:
    """The settings that all batches with workers share, checked; see `vecbt.make_vec` for what they mean.

    Raises:
        ConfigError: If one is invalid.
    """

    num_workers: int | None = None
    context: str | None = None
    parent_share: bool = False
    timeout: float | None = None
    on_worker_death: str = "raise"
    max_restarts: int = 100

    def __post_init__(self) -> None:
        """Check them."""
        if self.num_workers is not None and (type(self.num_workers) is not int or self.num_workers < 0):
            raise ConfigError(
                f"num_workers must be None, 0 (everything in the parent) or more, got {self.num_workers!r}"
            )
        if self.timeout is not None and not self.timeout > 0.0:
            raise ConfigError(f"timeout must be a positive number of seconds or None, got {self.timeout!r}")
        if self.on_worker_death not in _DEATHS:
            raise UnknownNameError.of("on_worker_death", self.on_worker_death, _DEATHS)
        if type(self.max_restarts) is not int or self.max_restarts < 1:
            raise ConfigError(f"max_restarts must be a whole number of at least 1, got {self.max_restarts!r}")

    @property
    def processes(self) -> int:
        """How many worker processes are asked for."""
        return usable_cores() if self.num_workers is None else self.num_workers

    def recovery(self, restore: Sequence[str], argument: Callable[[Sequence[tuple[int, int]]], Any]) -> Recovery | None:
        """What a pool does about workers that die; the arguments are those of `Recovery`."""
        return Recovery(self.max_restarts, restore, argument) if self.on_worker_death == "restart" else None
