"""Names of tests."""

from __future__ import annotations

import re

__all__ = ["name_of"]


def name_of(value: object) -> str:
    """A value in words, the same in every process: without addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
