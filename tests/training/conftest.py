from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

_LEARNS = all(find_spec(name) for name in ("torch", "stable_baselines3", "tensorboard"))
# What learns needs `pip install ".[train]"`; settings and data do not.
collect_ignore = [] if _LEARNS else ["test_learner.py", "test_run.py"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Torch starts no threads: sums have one order, and processes that are forked later find none."""
    if not _LEARNS:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
