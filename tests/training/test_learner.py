from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vecbt.training.learner import divide


@given(update=st.integers(1, 50_000), envs=st.integers(1, 2_000), batch=st.integers(1, 9_000))
def test_minibatches_are_equal_and_no_larger_than_asked(update: int, envs: int, batch: int) -> None:
    steps, size = divide(update, envs, batch)
    assert steps * envs >= max(update, 2 * envs)
    assert steps * envs % size == 0
    assert size >= 1
    assert steps - max(2, -(-update // envs)) < -(-max(update + envs, 2 * envs) // batch)


def test_what_is_asked_for_is_what_comes_where_it_divides() -> None:
    assert divide(16_384, 1_024, 4_096) == (16, 4_096)
