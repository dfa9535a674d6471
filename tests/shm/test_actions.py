from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from gymnasium.vector.utils import batch_space, iterate
from hypothesis import given, settings
from hypothesis import strategies as st

import vecbt
from tests.scripted import Hearing, exact
from tests.shm.test_spaces import plain
from vecbt.errors import ActionError
from vecbt.shm.actions import action_layout
from vecbt.shm.arena import Arena

N = 3


def through(space: Any, batch: Any, n: int = N) -> list[Any] | None:
    """The actions as a worker finds them; None if the batch has not been taken."""
    made = action_layout(space, n, "x")
    assert made is not None
    arrays = Arena(made.specs).arrays
    return made.bind(arrays, 0, n).read() if made.bind(arrays, 0, n).write(batch) else None


fixed = st.recursive(
    plain.filter(lambda space: not isinstance(space, spaces.Text)),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple),
        st.dictionaries(st.text("ab", max_size=2), inner, min_size=1, max_size=3).map(spaces.Dict),
    ),
    max_leaves=5,
)


@settings(max_examples=100)
@given(fixed, st.integers(0, 2**31 - 1))
def test_batches_that_are_drawn(space: Any, seed: int) -> None:
    batched = batch_space(space, N)
    batched.seed(seed)
    batch = batched.sample()
    assert exact(through(space, batch)) == exact(list(iterate(batched, batch)))


BATCHES = [
    (spaces.Box(-1.0, 1.0, (2,), np.float32), np.array([[0.1, 0.2], [1 / 3, np.nan], [-0.0, np.inf]])),
    (spaces.Box(-1.0, 1.0, (2,), np.float32), np.array([[1, 2], [3, 4], [5, 2**62 + 1]])),
    (spaces.Box(-1.0, 1.0, (2,), np.float64), np.zeros((N, 2), np.float16)),
    (spaces.Box(-1.0, 1.0, (2,), np.float64), np.zeros((2, N), np.float32).T),
    (spaces.Box(-1.0, 1.0, (), np.float32), np.array([0.1, 0.2, 0.3])),
    (spaces.Discrete(4), np.array([1, 2, 3], np.int8)),
    (spaces.Discrete(4), np.array([True, False, True])),
    (spaces.Discrete(4), np.array([1.5, 2.5, 3.5])),
    (spaces.Discrete(4), np.array([2**64 - 1, 0, 1], np.uint64)),
    (spaces.Discrete(4), np.arange(6)[::2]),
    (spaces.MultiDiscrete([3, 4]), np.array([[1, 2], [0, 3], [2, 2]], np.int32)),
    (spaces.MultiBinary([1, 2]), np.ones((N, 1, 2), bool)),
]


@pytest.mark.parametrize(("space", "batch"), BATCHES, ids=str)
def test_arrays_keep_value_and_type(space: Any, batch: Any) -> None:
    assert exact(through(space, batch)) == exact(list(batch))


@pytest.mark.parametrize("make", [list, tuple])
@pytest.mark.parametrize(
    ("space", "numbers"),
    [
        (spaces.Discrete(4), [1, 2, 3]),
        (spaces.Discrete(4), [2**63, 2**64 - 1, 2**63 + 1]),
        (spaces.Discrete(4), [True, False, True]),
        (spaces.Discrete(4), [np.int8(1), np.int8(2), np.int8(3)]),
        (spaces.Box(-1.0, 1.0, (), np.float32), [0.1, 0.2, 0.3]),
        (spaces.MultiDiscrete([3, 4]), [[1, 2], [0, 3], [2, 2]]),
        (spaces.MultiDiscrete([3, 4]), [np.array([1, 2]), np.array([0, 3]), np.array([2, 2])]),
    ],
    ids=str,
)
def test_numbers_in_lists_become_numpys(space: Any, numbers: Any, make: Any) -> None:
    assert exact(through(space, make(numbers))) == exact(list(np.array(numbers)))


NOT_TAKEN = [
    (spaces.Discrete(4), [1, 2.5, 3]),  # numpy would make floats of the whole numbers
    (spaces.Discrete(4), [True, 2, 3]),
    (spaces.Discrete(4), [2**63 + 1, 0, 1]),  # and of these
    (spaces.Discrete(4), [2**80, 0, 0]),
    (spaces.Discrete(4), [1, None, 3]),
    (spaces.Discrete(4), np.array([1, 2, 3], object)),
    (spaces.Discrete(4), np.array(["1", "2", "3"])),
    (spaces.Discrete(4), np.array([1j, 2j, 3j])),
    (spaces.Discrete(4), np.array([1, 2, 3], ">i4")),
    (spaces.Discrete(4), np.array([1, 2, 3], np.longdouble)),
    (spaces.Discrete(4), np.array([[1], [2], [3]])),
    (spaces.Discrete(4), np.array([1, 2])),
    (spaces.Box(-1.0, 1.0, (2,)), np.zeros((N, 3))),
    (spaces.Tuple([spaces.Discrete(2), spaces.Discrete(2)]), (np.zeros(N, int),)),
    (spaces.Dict({"a": spaces.Discrete(2)}), {"b": np.zeros(N, int)}),
    (spaces.Dict({"a": spaces.Discrete(2)}), (np.zeros(N, int),)),
]


@pytest.mark.parametrize(("space", "batch"), NOT_TAKEN, ids=str)
def test_everything_else_is_left_to_messages(space: Any, batch: Any) -> None:
    assert through(space, batch) is None


@pytest.mark.parametrize(
    "space",
    [
        spaces.Text(3),
        spaces.Sequence(spaces.Discrete(2)),
        spaces.Dict({}),
        spaces.Tuple([]),
        spaces.OneOf([spaces.Discrete(2)]),
        spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Text(3)}),
    ],
    ids=str,
)
def test_spaces_whose_batches_are_no_arrays(space: Any) -> None:
    assert action_layout(space, N, "x") is None


def test_actions_of_some_environments() -> None:
    made = action_layout(spaces.Discrete(4), 4, "x")
    assert made is not None
    arrays = Arena(made.specs).arrays
    assert made.bind(arrays, 2, 4).write(np.array([1, 2], np.int16))
    assert made.bind(arrays, 0, 2).write(np.array([0.5, 1.5]))
    assert exact(made.bind(arrays, 0, 2).read()) == exact([np.float64(0.5), np.float64(1.5)])
    assert exact(made.bind(arrays, 3, 4).read()) == exact([np.int16(2)])


def test_a_worker_keeps_no_view() -> None:
    made = action_layout(spaces.MultiBinary(2), 1, "x")
    assert made is not None
    arrays = Arena(made.specs).arrays
    assert made.bind(arrays, 0, 1).write(np.array([[1, 2]]))
    (action,) = made.bind(arrays, 0, 1).read()
    assert made.bind(arrays, 0, 1).write(np.array([[3, 4]]))
    assert action.tolist() == [1, 2]


# -- on the way to an environment --------------------------------------------------------------------------------------


def heard(envs: Any, batch: Any) -> list[Any]:
    envs.reset(seed=0)
    envs.step(batch)
    return [each[-1] for each in envs.get_attr("heard")]


NUMBERS = [batch for space, batch in [*BATCHES, *NOT_TAKEN] if space == spaces.Discrete(4) and len(batch) == N]


def test_environments_are_given_what_gymnasium_gives_them() -> None:
    space = spaces.Discrete(4)
    ours = vecbt.SharedMemoryVectorEnv([partial(Hearing, space)] * N, num_workers=1, context="fork")
    theirs = SyncVectorEnv([partial(Hearing, space)] * N)
    for batch in NUMBERS:
        assert heard(ours, batch) == heard(theirs, batch)
    ours.close()


@pytest.mark.parametrize(
    "space",
    [
        spaces.Text(3),
        spaces.Sequence(spaces.Discrete(2)),
        spaces.OneOf([spaces.Discrete(2), spaces.Box(0.0, 1.0, (2,))]),
        spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Text(3)}),
    ],
    ids=str,
)
def test_actions_that_travel_as_messages(space: Any) -> None:
    for workers in (0, 2):
        ours = vecbt.SharedMemoryVectorEnv([partial(Hearing, space)] * N, num_workers=workers, context="fork")
        theirs = SyncVectorEnv([partial(Hearing, space)] * N)
        ours.action_space.seed(0)
        for _ in range(3):
            batch = ours.action_space.sample()
            assert heard(ours, batch) == heard(theirs, batch)
        ours.close()


def test_too_few_and_too_many() -> None:
    ours = vecbt.SharedMemoryVectorEnv([partial(Hearing, spaces.Discrete(4))] * N, num_workers=0)
    ours.reset(seed=0)
    for batch in ([1, 2], [1, 2, 3, 4], np.zeros(4), []):
        with pytest.raises(ActionError, match=f"expected 3 actions, one for each environment, got {len(batch)}"):
            ours.step(batch)
    for batch in (1, None, np.int64(3)):
        with pytest.raises(TypeError, match="Unable to iterate"):
            ours.step(batch)
    assert ours.get_attr("heard") == ([], [], [])
    ours.close()
