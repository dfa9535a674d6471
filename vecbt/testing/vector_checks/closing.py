"""The end of the environments themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vecbt.testing.vector_checks.probe import Probe
from vecbt.testing.vector_checks.rules import violation

__all__ = ["check_close"]


def check_close(probe: Probe) -> None:
    """Close the environments, twice.

    Raises:
        ConformanceError: If that raises, or if something can still be done with them (strict).
    """
    envs = probe.envs
    for time in ("first", "second"):
        try:
            envs.close()
        except Exception as error:
            got = f"{type(error).__name__}: {error}"
            raise violation("close", "close() to return", got, where=f"the {time} call") from error
    probe.ledger.tried("close")
    if probe.strict:
        _check_closed(probe)


def _check_closed(probe: Probe) -> None:
    envs = probe.envs
    if envs.closed is not True:
        raise violation("closed", "closed to be True", repr(envs.closed), where="after close()")
    calls: dict[str, Callable[[], Any]] = {
        "step": lambda: envs.step(probe.actions[0]),
        "reset": lambda: envs.reset(seed=probe.seed),
    }
    for name, call in calls.items():
        try:
            call()
        except Exception:
            continue
        raise violation("closed", f"{name} to raise", "no error", where="after close()")
    probe.ledger.tried("closed")
