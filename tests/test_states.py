from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from vecbt.errors import ConfigError
from vecbt.states import array_name, checked_spaces, leaves, nested

BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
names = st.text(st.characters(blacklist_characters="/"), min_size=1, max_size=3)
trees = st.recursive(
    st.integers(1, 5).map(spaces.Discrete), lambda part: st.dictionaries(names, part, min_size=1), max_leaves=12
)


@given(st.dictionaries(names, trees, min_size=1))
def test_taken_apart_and_together(shape: Any) -> None:
    flat = {path: leaf for key, space in checked_spaces(shape).items() for path, leaf in leaves(space, (key,))}
    assert nested(flat) == shape
    assert len({array_name(path) for path in flat}) == len(flat)


def test_plain_dictionaries_are_spaces_too() -> None:
    assert checked_spaces({"a": {"x": BOX}}) == checked_spaces({"a": spaces.Dict(x=BOX)}) == {"a": spaces.Dict(x=BOX)}


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ((2,), r"state_shape\['a'\] must be one of Gymnasium's spaces Box, Discrete, .*, got \(2,\)"),
        (None, "got None"),
        ({}, "got {}"),
        (spaces.Text(3), "got Text"),
        (spaces.Tuple([BOX]), "got Tuple"),
        (spaces.Dict(x=spaces.Sequence(BOX)), r"state_shape\['a'\]\['x'\] must be one of"),
        ({"x": {"y/z": BOX}}, r"state_shape\['a'\]\['x'\] must have names without '/' for keys, got 'y/z'"),
        ({3: BOX}, "for keys, got 3"),
    ],
    ids=str,
)
def test_what_has_no_fixed_shape_is_refused(space: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked_spaces({"a": space})
