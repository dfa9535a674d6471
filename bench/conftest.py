"""What the suites run on."""

from __future__ import annotations

import pytest

from vecbt.data import Bars, synthetic_market


@pytest.fixture(scope="session")
def market() -> Bars:
    """Bars to run on."""
    return synthetic_market(50_000)
