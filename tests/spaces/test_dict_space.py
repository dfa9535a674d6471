from __future__ import annotations

import copy
import json
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_observation_space
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

from tests.envs import flat
from vecbt.errors import ConfigError
from vecbt.spaces import DictSpace

PARTS: dict[str, Any] = {
    "prices": spaces.Box(-9.0, 9.0, (5, 2), np.float32),
    "own": {"cash": spaces.Box(0.0, 1.0, (), np.float64), "deep": spaces.Dict({"step": spaces.Discrete(9)})},
    "flags": spaces.MultiBinary(3),
}
SHAPE = {"flags": (3,), "own": {"cash": (), "deep": {"step": ()}}, "prices": (5, 2)}


def test_shapes_of_all_parts() -> None:
    space = DictSpace(PARTS)
    assert space.shape == SHAPE
    assert list(space) == ["flags", "own", "prices"]  # sorted, as Gymnasium has it
    assert type(space["own"]) is DictSpace
    assert type(space["own"]["deep"]) is DictSpace  # type: ignore[index]


def test_it_is_a_dictionary_of_gymnasium() -> None:
    own = spaces.Dict(PARTS["own"])
    plain = copy.deepcopy(spaces.Dict({**PARTS, "own": own}, seed=5))
    space = DictSpace(copy.deepcopy(PARTS), seed=5)
    assert space == plain
    assert plain == space
    check_observation_space(space)
    for _ in range(3):
        assert flat(sample := space.sample()) == flat(plain.sample())
        assert sample in plain
    assert space.seed(3) == plain.seed(3)
    mask = {"prices": None, "own": {"cash": None, "deep": {"step": np.eye(9, dtype=np.int8)[4]}}, "flags": None}
    assert space.sample(mask=mask)["own"]["deep"]["step"] == 4
    chances = {**mask, "own": {"cash": None, "deep": {"step": np.eye(9)[7]}}}
    assert space.sample(probability=chances)["own"]["deep"]["step"] == 7
    wrong = space.sample()
    wrong["own"]["deep"]["step"] = 9
    assert wrong not in space
    assert {"prices": space.sample()["prices"]} not in space


def test_order() -> None:
    ordered = OrderedDict(b=spaces.Discrete(2), a=spaces.Discrete(3))
    assert list(DictSpace(ordered)) == ["b", "a"]
    assert list(DictSpace(DictSpace(ordered))) == ["b", "a"]
    assert list(DictSpace(dict(ordered))) == ["a", "b"]
    assert list(batch_space(DictSpace(ordered), 2)) == ["b", "a"]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda space: pickle.loads(pickle.dumps(space))])
def test_copies(again: Any) -> None:
    space = DictSpace(PARTS, seed=3)
    other = again(space)
    assert type(other) is DictSpace
    assert other == space
    assert other.shape == SHAPE
    assert flat(other.sample()) == flat(space.sample())


def test_what_it_looks_like() -> None:
    space = DictSpace({"a": spaces.Discrete(2), "b": {"c": spaces.Discrete(3)}})
    assert repr(space) == "DictSpace({'a': Discrete(2), 'b': DictSpace({'c': Discrete(3)})})"
    assert eval(repr(space), {"DictSpace": DictSpace, "Discrete": spaces.Discrete}) == space


def test_batches() -> None:
    space = DictSpace(PARTS, seed=1)
    batch = batch_space(space, 4)
    assert type(batch) is DictSpace
    assert type(batch["own"]) is DictSpace
    assert batch.shape["own"] == {"cash": (4,), "deep": {"step": (4,)}}
    assert batch == batch_space(spaces.Dict(space.spaces), 4)
    elements = [space.sample() for _ in range(4)]
    together = concatenate(space, elements, create_empty_array(space, 4))
    assert together in batch
    assert [flat(each) for each in iterate(batch, together)] == [flat(each) for each in elements]
    pair = spaces.Tuple([space, spaces.Discrete(2)])
    both = batch_space(pair, 2).sample()
    assert [flat(first) for first, _ in iterate(batch_space(pair, 2), both)] == [
        flat(each) for each in iterate(batch_space(space, 2), both[0])
    ]


def test_json() -> None:
    space = DictSpace(PARTS)
    samples = [space.sample() for _ in range(3)]
    text = json.dumps(space.to_jsonable(samples))
    assert [flat(each) for each in space.from_jsonable(json.loads(text))] == [flat(each) for each in samples]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a": 3}, "the part 'a' of a DictSpace must be a space or a dictionary of spaces, got 3"),
        ({"a": {"b": None}}, "the part 'b' of a DictSpace"),
        ([("a", spaces.Discrete(2))], "a DictSpace needs a dictionary of spaces by name, got"),
        (None, "a DictSpace needs a dictionary of spaces by name, got None"),
    ],
)
def test_what_is_no_space(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DictSpace(given)
