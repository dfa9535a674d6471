from __future__ import annotations

import copy
import itertools
import json
import pickle
import re
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_action_space
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from hypothesis import given
from hypothesis import strategies as st

from tests.envs import flat
from vecbt.errors import ActionError, ConfigError
from vecbt.spaces import ActionDictSpace, DictSpace

FOUR = ("hold", "buy", "sell", "close")
PAIR = ActionDictSpace(["GBP", "EUR"], FOUR)
WEIGHTS = ActionDictSpace(["zloty", "default_cash", "EUR"])
SPACES = [
    PAIR,
    WEIGHTS,
    ActionDictSpace(["one"], ["hold", "buy", "sell"]),
    ActionDictSpace(list("abcdefghijklmnopq"), FOUR[:3]),
]
NAMES = st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=9, unique=True)


def seeded(space: ActionDictSpace, seed: int = 0) -> Any:
    space = copy.deepcopy(space)
    space.seed(seed)
    return space


# -- what it is --------------------------------------------------------------------------------------------------------


def test_discrete() -> None:
    assert PAIR.assets == ("EUR", "GBP")
    assert PAIR.base_actions == FOUR
    assert (PAIR.is_discrete, PAIR.cardinality, PAIR.encoded_depth, PAIR.one_hot_depth) == (True, 16, 4, 16)
    assert PAIR.shape == {"EUR": (), "GBP": ()}
    assert PAIR["EUR"] == spaces.Discrete(4)
    assert PAIR.get_initial_action() == {"EUR": 0, "GBP": 0}
    assert PAIR.get_initial_action() in PAIR
    assert flat(PAIR.get_initial_action(3)) == flat({"EUR": np.zeros(3, np.int64), "GBP": np.zeros(3, np.int64)})


@pytest.mark.parametrize("base_actions", [None, (), []])
def test_continuous(base_actions: Any) -> None:
    space = ActionDictSpace(["b", "default_cash", "a"], base_actions)
    assert space.assets == ("a", "b", "default_cash")
    assert (space.is_discrete, space.cardinality, space.encoded_depth, space.one_hot_depth) == (False, None, 3, 3)
    assert space.shape == {"a": (1,), "b": (1,), "default_cash": (1,)}
    assert space["b"] == spaces.Box(0.0, 1.0, (1,), np.float32)
    assert space.get_initial_action() in space
    assert space.encode(space.get_initial_action()).tolist() == [0.0, 0.0, 1.0]
    assert space.encode(space.get_initial_action(2)).tolist() == [[0.0, 0.0, 1.0]] * 2
    assert ActionDictSpace(["a", "b"]).encode({"a": [0.0], "b": [0.0]}).tolist() == [0.0, 0.0]
    assert ActionDictSpace(["a", "b"], cash="a").get_initial_action() == {"a": 1.0, "b": 0.0}


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"{len(space)} assets")
def test_it_is_a_space_of_gymnasium(space: ActionDictSpace) -> None:
    check_action_space(space)
    plain = spaces.Dict(dict(space.spaces))
    assert space == plain
    assert plain == space
    one, other = seeded(space, 4), copy.deepcopy(plain)
    other.seed(4)
    for _ in range(3):
        action = one.sample()
        assert flat(action) == flat(other.sample())
        assert action in space
    assert {} not in space
    assert {**action, "more": 0} not in space
    assert 0 not in space


def test_samples_of_a_mask() -> None:
    only_buy = np.array([0, 1, 0, 0], np.int8)
    assert PAIR.sample(mask={"EUR": only_buy, "GBP": None})["EUR"] == 1
    assert PAIR.sample(probability={"EUR": only_buy.astype(float), "GBP": np.eye(4)[3]}) == {"EUR": 1, "GBP": 3}
    with pytest.raises(ValueError, match="Only one of"):
        PAIR.sample(mask={}, probability={})


def test_equality() -> None:
    same = ActionDictSpace(("EUR", "GBP"), list(FOUR))
    assert same == PAIR
    assert hash(same) == hash(PAIR)
    for other in (
        ActionDictSpace(["EUR", "USD"], FOUR),
        ActionDictSpace(["EUR", "GBP"], ("hold", "sell", "buy", "close")),
        ActionDictSpace(["EUR", "GBP"]),
    ):
        assert other != PAIR
    assert ActionDictSpace(["a", "b"], cash="a") != ActionDictSpace(["a", "b"])
    assert PAIR != 3
    assert DictSpace({"EUR": spaces.Discrete(4), "GBP": spaces.Discrete(4)}) == PAIR


@pytest.mark.parametrize("space", [*SPACES, ActionDictSpace(["a", "money"], cash="money")], ids=str)
def test_copies_and_text(space: ActionDictSpace) -> None:
    assert eval(repr(space), {"ActionDictSpace": ActionDictSpace}) == space
    for again in (copy.deepcopy(space), pickle.loads(pickle.dumps(space))):
        assert type(again) is ActionDictSpace
        assert again == space
        assert again.encode(space.get_initial_action()).tolist() == space.encode(space.get_initial_action()).tolist()
    one = seeded(space)
    assert flat(pickle.loads(pickle.dumps(one)).sample()) == flat(one.sample())


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"{len(space)} assets")
def test_json(space: ActionDictSpace) -> None:
    samples = [space.sample() for _ in range(4)]
    text = json.dumps(space.to_jsonable(samples))
    found = space.from_jsonable(json.loads(text))
    assert [flat(each) for each in found] == [flat(each) for each in samples]
    assert space.from_jsonable(json.loads(json.dumps(space.to_jsonable([])))) == []


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"{len(space)} assets")
def test_batches_of_gymnasium(space: ActionDictSpace) -> None:
    batch = batch_space(space, 3)
    assert type(batch) is DictSpace
    actions = [space.sample() for _ in range(3)]
    together = concatenate(space, actions, create_empty_array(space, 3))
    assert together in batch
    assert [flat(each) for each in iterate(batch, together)] == [flat(each) for each in actions]


# -- codes -------------------------------------------------------------------------------------------------------------


def test_every_action_of_a_small_space() -> None:
    space = ActionDictSpace(["c", "a", "b"], ("hold", "buy", "sell"))
    assert (space.cardinality, space.encoded_depth) == (27, 5)
    for number, digits in enumerate(itertools.product(range(3), repeat=3)):
        action = dict(zip("abc", digits, strict=True))
        code = space.encode(action)
        assert code.dtype == np.float32
        assert "".join(str(int(bit)) for bit in code) == f"{number:05b}"
        assert space.decode(code) == action
        hot = space.one_hot_encode(action)
        assert hot.dtype == np.float32
        assert hot.tolist() == [float(place == number) for place in range(27)]
        assert space.one_hot_decode(hot) == action
        assert space.decode(code) in space
        assert space.one_hot_decode(hot) in space


@given(NAMES, st.integers(1, 6), st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_every_action_comes_back(names: list[str], base: int, seed: int, num_envs: int) -> None:
    space = ActionDictSpace(names, [str(number) for number in range(base)], seed=seed)
    check_round_trips(space, num_envs)


@given(NAMES, st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_every_weight_comes_back(names: list[str], seed: int, num_envs: int) -> None:
    check_round_trips(ActionDictSpace(names, seed=seed), num_envs)


@pytest.mark.parametrize(("count", "base"), [(20, 4), (31, 4), (32, 4), (40, 3), (100, 7)])
def test_spaces_too_large_for_any_table(count: int, base: int) -> None:
    space = ActionDictSpace([f"asset {number}" for number in range(count)], [str(b) for b in range(base)])
    assert space.cardinality == base**count
    check_round_trips(space, 6)
    last = dict.fromkeys(space.assets, base - 1)
    assert int("".join(str(int(bit)) for bit in space.encode(last)), 2) == base**count - 1
    with pytest.raises(
        ConfigError, match=re.escape(f"a one-hot code would have {base}**{count} = {base**count} numbers")
    ):
        space.one_hot_encode(last)
    with pytest.raises(ConfigError, match="take encode and decode"):
        space.one_hot_decode([0.0])


def check_round_trips(space: ActionDictSpace, num_envs: int) -> None:
    action = space.sample()
    code = space.encode(action)
    assert code.shape == (space.encoded_depth,)
    assert ((code >= 0.0) & (code <= 1.0)).all()
    assert flat(space.decode(code)) == flat(action)
    assert space.decode(code) in space
    assert flat(space.decode(code.astype(np.float64).tolist())) == flat(action)
    batch = batch_space(space, num_envs) if num_envs else None
    if batch is not None:
        actions = batch.sample()
        codes = space.encode(actions)
        assert codes.dtype == np.float32
        assert codes.shape == (num_envs, space.encoded_depth)
        assert flat(space.decode(codes)) == flat(actions)
        rows = list(iterate(batch, actions))
        assert [space.encode(row).tolist() for row in rows] == codes.tolist()
        assert space.decode(codes) in batch
    if space.one_hot_depth <= 1 << 12:
        assert flat(space.one_hot_decode(space.one_hot_encode(action))) == flat(action)
        if batch is not None:
            hot = space.one_hot_encode(actions)
            assert hot.shape == (num_envs, space.one_hot_depth)
            assert flat(space.one_hot_decode(hot)) == flat(actions)


def test_the_largest_one_hot_code() -> None:
    names = [f"asset {number:02}" for number in range(11)]
    ten, eleven = ActionDictSpace(names[:10], FOUR), ActionDictSpace(names, FOUR)
    last = dict.fromkeys(names[:10], 3)
    assert ten.one_hot_encode(last).shape == (1 << 20,)
    assert ten.one_hot_decode(ten.one_hot_encode(last)) == last
    with pytest.raises(ConfigError, match=r"more than 2\*\*20: take encode and decode, whose codes have 22 bits"):
        eleven.one_hot_encode(dict.fromkeys(names, 3))


def test_plain_numbers_are_taken_too() -> None:
    assert PAIR.encode({"GBP": 1, "EUR": np.int32(2)}).tolist() == [1.0, 0.0, 0.0, 1.0]
    assert ActionDictSpace(["a", "b"]).encode({"a": 0.25, "b": 1}).tolist() == [0.25, 1.0]
    assert PAIR.decode([True, False, False, True]) == {"EUR": 2, "GBP": 1}


# -- what is refused ---------------------------------------------------------------------------------------------------

NO_ACTION: list[tuple[Any, Any, str]] = [
    (PAIR, {"EUR": 4, "GBP": 0}, "action 4, asset 'EUR', is not in 0 to 3"),
    (PAIR, {"EUR": 0, "GBP": -1}, "action -1, asset 'GBP', is not in 0 to 3"),
    (PAIR, {"EUR": 0, "GBP": 0.0}, "the value of an asset is a whole number from 0 to 3, got"),
    (PAIR, {"EUR": True, "GBP": False}, "the value of an asset is a whole number from 0 to 3, got"),
    (PAIR, {"EUR": "buy", "GBP": "hold"}, "the value of an asset is a whole number from 0 to 3, got"),
    (PAIR, {"EUR": None, "GBP": None}, "the value of an asset is a whole number"),
    (PAIR, {"EUR": 0}, r"a dictionary with a value for each of \['EUR', 'GBP'\], got \['EUR'\]"),
    (PAIR, {"EUR": 0, "GBP": 0, "USD": 0}, r"a value for each of \['EUR', 'GBP'\], got \['EUR', 'GBP', 'USD'\]"),
    (PAIR, 3, r"a value for each of \['EUR', 'GBP'\], got 3"),
    (PAIR, np.array([0, 1]), "an action is a dictionary"),
    (PAIR, {"EUR": [0, 1, 4], "GBP": [0, 0, 0]}, "action 4 of environment 2, asset 'EUR', is not in 0 to 3"),
    (PAIR, {"EUR": [0, 1], "GBP": [0, 0, 0]}, "an action has values of one shape for all assets"),
    (PAIR, {"EUR": [[0]], "GBP": [[0]]}, "the value of an asset is a whole number from 0 to 3"),
    (WEIGHTS, {"EUR": [1.5], "zloty": [0.0], "default_cash": [0.0]}, "action 1.5, asset 'EUR', is not in 0 to 1"),
    (WEIGHTS, {"EUR": 0.0, "zloty": -0.1, "default_cash": 0.0}, "action -0.1, asset 'zloty', is not in 0 to 1"),
    (WEIGHTS, {"EUR": np.nan, "zloty": 0.0, "default_cash": 0.0}, "action nan, asset 'EUR', is not in 0 to 1"),
    (WEIGHTS, {"EUR": 1e300, "zloty": 0.0, "default_cash": 0.0}, r"action 1e\+300, asset 'EUR'"),
    (WEIGHTS, {"EUR": [0.1, 0.1], "zloty": [0.1, 0.1], "default_cash": [0.1, 0.1]}, r"a weight has the shape \(1,\)"),
    (WEIGHTS, {"EUR": "x", "zloty": "x", "default_cash": "x"}, "the value of an asset is a number from 0 to 1"),
]


@pytest.mark.parametrize(("space", "action", "message"), NO_ACTION)
def test_what_is_no_action(space: ActionDictSpace, action: Any, message: str) -> None:
    with pytest.raises(ActionError, match=message):
        space.encode(action)
    with pytest.raises(ActionError, match=message):
        space.one_hot_encode(action)


NINE = ActionDictSpace(["a", "b"], FOUR[:3])
NO_CODE: list[tuple[Any, str, Any, str]] = [
    (NINE, "decode", [1, 0, 0, 1], "the number of one of 9 actions, got the bits of 9"),
    (NINE, "decode", [[0, 0, 0, 0], [1, 1, 1, 1]], "got the bits of 15"),
    (
        NINE,
        "decode",
        [1, 0, 0],
        r"a code has the shape \(4,\), in a batch \(N, 4\), and numbers from 0 to 1, got int64 \(3,\)",
    ),
    (NINE, "decode", [[[1, 0, 0, 0]]], r"got int64 \(1, 1, 4\)"),
    (NINE, "decode", 3, r"got int64 \(\)"),
    (NINE, "decode", ["0", "0", "0", "0"], "a code has the shape"),
    (NINE, "decode", [0, 0, 0, 2], "a code of 4 bits has 0 and 1 alone"),
    (NINE, "decode", [0, 0, 0, -1], "a code of 4 bits has 0 and 1 alone"),
    (NINE, "decode", [0, 0, 0, 0.5], "a code of 4 bits has 0 and 1 alone"),
    (NINE, "decode", [0, 0, 0, np.nan], "a code of 4 bits has 0 and 1 alone"),
    (NINE, "one_hot_decode", [0.0] * 9, "a one-hot code of 9 actions is one 1 among zeros"),
    (NINE, "one_hot_decode", [1.0, 1.0] + [0.0] * 7, "one 1 among zeros"),
    (NINE, "one_hot_decode", [2.0] + [0.0] * 8, "one 1 among zeros"),
    (NINE, "one_hot_decode", [1.0, np.nan] + [0.0] * 7, "one 1 among zeros"),
    (NINE, "one_hot_decode", [[1.0] + [0.0] * 8, [0.0] * 9], "one 1 among zeros"),
    (NINE, "one_hot_decode", [1.0] + [0.0] * 7, r"a code has the shape \(9,\)"),
    (WEIGHTS, "decode", [0.0, 0.0, 1.25], "a code of weights has numbers from 0 to 1"),
    (WEIGHTS, "decode", [0.0, np.nan, 1.0], "a code of weights has numbers from 0 to 1"),
    (WEIGHTS, "one_hot_decode", [0.0, 0.0], r"a code has the shape \(3,\)"),
]


@pytest.mark.parametrize(("space", "method", "code", "message"), NO_CODE)
def test_what_is_no_code(space: ActionDictSpace, method: str, code: Any, message: str) -> None:
    with pytest.raises(ActionError, match=message):
        getattr(space, method)(code)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "an ActionDictSpace needs the name of one asset at least"),
        ((["a", "a"],), r"assets must be different names, got \['a', 'a'\]"),
        (("EUR",), "assets must be names, such as .* got 'EUR'"),
        (([1, 2],), "assets must be names"),
        ((["a"], ["hold", "hold"]), "base_actions must be different names"),
        ((["a"], "hold"), "base_actions must be names"),
        ((["a", ""],), "assets must be names"),
    ],
)
def test_what_is_no_space(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ActionDictSpace(*arguments)


def test_cash_has_a_name() -> None:
    with pytest.raises(ConfigError, match="cash must be names"):
        ActionDictSpace(["a"], cash="")
