from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import Space, spaces
from gymnasium.error import CustomSpaceError
from gymnasium.vector.utils import concatenate, create_empty_array
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scripted import exact
from vecbt.shm.arena import Arena, ArraySpec
from vecbt.shm.spaces import layout

N = 3
DTYPES = ("float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "bool")


def box(shape: tuple[int, ...], dtype: str) -> spaces.Box:
    return spaces.Box(0, 1, shape, np.dtype(dtype).type)


shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)
plain: st.SearchStrategy[Space[Any]] = st.one_of(
    st.builds(box, shapes, st.sampled_from(DTYPES)),
    st.builds(lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 9), st.integers(-5, 5)),
    st.builds(spaces.MultiBinary, st.one_of(st.integers(1, 4), st.lists(st.integers(1, 3), min_size=1, max_size=2))),
    st.builds(
        lambda nvec, dtype: spaces.MultiDiscrete(nvec, dtype=np.dtype(dtype).type),
        st.lists(st.integers(1, 100), min_size=1, max_size=3).map(np.array),
        st.sampled_from(["int64", "int32", "uint8"]),
    ),
    st.builds(lambda size: spaces.Text(size, min_length=0, charset="aé€𝄞"), st.integers(1, 6)),
)
every: st.SearchStrategy[Space[Any]] = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(spaces.Tuple),
        st.dictionaries(st.text("ab/", max_size=2), inner, max_size=3).map(spaces.Dict),
        st.lists(inner, min_size=1, max_size=3).map(spaces.OneOf),
    ),
    max_leaves=6,
)


def placed(space: Space[Any], elements: list[Any]) -> tuple[Any, Any]:
    """The layout and its arrays, with the elements written to them."""
    made = layout(space, len(elements), "x")
    arrays = Arena(made.specs or {"nothing": ArraySpec((1,), "uint8")}).arrays
    for write, element in zip(made.writers(arrays, 0, len(elements)), elements, strict=True):
        write(element)
    return made, arrays


def scalars(value: Any) -> Any:
    """The same with numbers for arrays without dimensions, which Gymnasium's spaces draw, and few environments."""
    if isinstance(value, dict):
        return {name: scalars(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return tuple(scalars(part) for part in value)
    if isinstance(value, list):
        return [scalars(part) for part in value]
    return value[()] if isinstance(value, np.ndarray) else value


@settings(max_examples=150)
@given(every, st.integers(0, 2**31 - 1))
def test_elements_come_back_as_they_were(space: Space[Any], seed: int) -> None:
    space.seed(seed)
    elements = [space.sample() for _ in range(N)]
    made, arrays = placed(space, elements)
    for env, element in enumerate(elements):
        back = made.element(arrays, env)
        assert made.holds(back)
        assert exact(back) == exact(scalars(element))
        assert made.holds(element) == (exact(back) == exact(element))
    elements = scalars(elements)
    expected = concatenate(space, elements, create_empty_array(space, N, fn=np.zeros))
    for copy in (True, False):
        assert exact(made.batch(arrays, 0, N, copy)) == exact(expected)
        assert exact(made.batch(arrays, 1, 2, copy)) == exact(
            concatenate(space, elements[1:2], create_empty_array(space, 1, fn=np.zeros))
        )


@settings(max_examples=60)
@given(every, st.integers(0, 2**31 - 1))
def test_each_writer_writes_its_own_row(space: Space[Any], seed: int) -> None:
    space.seed(seed)
    first, other = [space.sample() for _ in range(N)], space.sample()
    made, arrays = placed(space, first)
    made.writers(arrays, 1, N)[0](other)
    assert exact([made.element(arrays, env) for env in range(N)]) == exact(scalars([first[0], other, first[2]]))


def test_copies_are_the_callers_and_views_are_not() -> None:
    space = spaces.Dict({"a": spaces.Box(0.0, 9.0, (2,)), "b": spaces.Tuple([spaces.Discrete(9)])})
    made, arrays = placed(space, [space.sample()] * N)
    views, copies, element = made.batch(arrays, 0, N, False), made.batch(arrays, 0, N, True), made.element(arrays, 0)
    before = exact(copies), exact(element)
    made.writers(arrays, 0, N)[0]({"a": np.array([7.5, 8.5], np.float32), "b": (8,)})
    assert (views["a"][0].tolist(), views["b"][0][0]) == ([7.5, 8.5], 8)
    assert (exact(copies), exact(element)) == before


EXTREMES = [
    (np.float64, [0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, 1.7976931348623157e308]),
    (np.float32, [-0.0, 1e-45, np.inf]),
    (np.float16, [6e-8, 65504.0, -np.inf]),
    (np.int64, [-(2**63), 2**63 - 1]),
    (np.uint64, [2**64 - 1]),
    (np.uint8, [0, 255]),
]


@pytest.mark.parametrize(("dtype", "values"), EXTREMES, ids=[dtype.__name__ for dtype, _ in EXTREMES])
def test_extreme_numbers(dtype: Any, values: list[Any]) -> None:
    whole = np.dtype(dtype).kind in "iu"
    low, high = (np.iinfo(dtype).min, np.iinfo(dtype).max) if whole else (-np.inf, np.inf)
    array = np.array(values, dtype)
    made, arrays = placed(spaces.Box(low, high, array.shape, dtype), [array, array[::-1]])
    assert exact(made.element(arrays, 0)) == exact(array)
    assert exact(made.element(arrays, 1)) == exact(array[::-1].copy())
    made, arrays = placed(spaces.Box(low, high, (), dtype), list(array))
    assert exact([made.element(arrays, env) for env in range(len(array))]) == exact(list(array))


REFUSED = [
    (spaces.Box(-1.0, 1.0, (3,)), np.zeros(4, np.float32)),
    (spaces.Box(-1.0, 1.0, (3,)), np.zeros(1, np.float32)),
    (spaces.Box(-1.0, 1.0, (3,)), np.float32(0.0)),
    (spaces.Box(-1.0, 1.0, (3,)), "abc"),
    (spaces.Box(-1.0, 1.0, (2, 2)), np.zeros((2, 3), np.float32)),
    (spaces.Box(-1.0, 1.0, ()), np.zeros(2, np.float32)),
    (spaces.Discrete(3), np.zeros(2, np.int64)),
    (spaces.Discrete(3), None),
    (spaces.MultiBinary(3), np.zeros(2, np.int8)),
    (spaces.Tuple([spaces.Discrete(2), spaces.Discrete(2)]), (1,)),
    (spaces.Tuple([spaces.Discrete(2)]), (1, 1)),
    (spaces.Dict({"a": spaces.Discrete(2)}), {"b": 1}),
    (spaces.Dict({"a": spaces.Box(0.0, 1.0, (2,))}), {"a": np.zeros(3)}),
    (spaces.Text(3), "abcd"),
    (spaces.Text(3), 3),
    (spaces.OneOf([spaces.Discrete(2)]), (1, 0)),
    (spaces.OneOf([spaces.Discrete(2)]), (-1, 0)),
    (spaces.OneOf([spaces.Box(0.0, 1.0, (2,))]), (0, np.zeros(3))),
]


@pytest.mark.parametrize(("space", "value"), REFUSED, ids=str)
def test_what_has_not_the_size_of_an_element_is_refused(space: Any, value: Any) -> None:
    made = layout(space, 1, "x")
    (write,) = made.writers(Arena(made.specs).arrays, 0, 1)
    with pytest.raises((ValueError, TypeError)):
        write(value)


OTHERS = [
    (spaces.Box(-1.0, 1.0, (2,)), [0.5, -0.5]),
    (spaces.Box(-1.0, 1.0, (2,)), np.array([0.5, -0.5])),  # float64
    (spaces.Box(-1.0, 1.0, (2,)), np.array([[0.5, -0.5]], np.float32)),
    (spaces.Box(-1.0, 1.0, (1,)), 0.5),
    (spaces.Box(-1.0, 1.0, ()), np.array([0.5], np.float32)),
    (spaces.Box(-1.0, 1.0, ()), 0.5),
    (spaces.Discrete(3), 2),
    (spaces.Discrete(3), np.int8(2)),
    (spaces.Tuple([spaces.Discrete(3)]), [2]),
]


@pytest.mark.parametrize(("space", "value"), OTHERS, ids=str)
def test_what_can_be_made_an_element_becomes_one(space: Any, value: Any) -> None:
    made, arrays = placed(space, [value])
    assert not made.holds(value)
    element = made.element(arrays, 0)
    assert made.holds(element)
    part = element[0] if isinstance(element, tuple) else element
    assert np.ravel(part).tolist() == np.ravel(value).tolist()


@pytest.mark.parametrize(
    "space",
    [
        spaces.Sequence(spaces.Discrete(2)),
        spaces.Graph(spaces.Discrete(2), None),
        spaces.Dict({"a": spaces.Tuple([spaces.Sequence(spaces.Discrete(2))])}),
    ],
    ids=str,
)
def test_spaces_without_a_fixed_size(space: Any) -> None:
    with pytest.raises(TypeError, match="shared_memory=False"):
        layout(space, 1, "x")


def test_spaces_of_others() -> None:
    class Mine(Space[int]):
        pass

    with pytest.raises(CustomSpaceError, match="Mine is none of Gymnasium's spaces"):
        layout(spaces.Tuple([Mine()]), 1, "x")
