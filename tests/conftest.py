from __future__ import annotations

import re

import pytest
from hypothesis import settings

# The first call of a kernel compiles it: the time of an example says nothing.
settings.register_profile("vecbt", deadline=None)
settings.load_profile("vecbt")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take addresses out of the names of tests: processes that share the tests must agree on them."""
    for item in items:
        item._nodeid = re.sub(r" at 0x[0-9a-f]+", "", item.nodeid)
