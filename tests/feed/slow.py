"""Data that take as long to load as a test wants them to."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.envs import MARKET


def wait_for(gate: Path) -> Any:
    """The market, once there is a file."""
    while not gate.exists():
        time.sleep(0.01)
    return MARKET


class Slow:
    """A market that is unpickled when there is a file; not with the start method fork, which pickles nothing."""

    def __init__(self, gate: Path) -> None:
        self._gate = gate

    def __reduce__(self) -> tuple[Any, ...]:
        return wait_for, (self._gate,)
