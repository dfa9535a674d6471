from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from fractions import Fraction
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecbt
from tests.names import name_of
from vecbt.config import (
    ACCOUNT_FEATURES,
    ACTIONS,
    ENGINES,
    REWARDS,
    Commission,
    EnvConfig,
    Slippage,
    percent_of,
)
from vecbt.errors import ConfigError, UnknownNameError, VecbtError

DEFAULTS: dict[str, Any] = {
    "window": 30,
    "features": ("open", "high", "low", "close"),
    "normalize": None,
    "account_features": (),
    "flatten": False,
    "actions": "discrete",
    "positions": (-1.0, 0.0, 1.0),
    "order_size": "90%",
    "lot": 1.0,
    "start_cash": 10_000.0,
    "leverage": 1.0,
    "shortcash": True,
    "checksubmit": True,
    "cheat_on_close": False,
    "commission": 0.0,
    "slippage": 0.0,
    "max_exposure": None,
    "skip_frame": 1,
    "latency": 0,
    "reward": "log_return",
    "reward_scale": 1.0,
    "gamma": 0.99,
    "drawdown_call": None,
    "target_call": None,
    "close_out": False,
    "episode_steps": "auto",
    "strategy": None,
    "cerebro": None,
    "fast": True,
    "trusted": False,
    "copy": True,
    "infos": "full",
    "preset": None,
}
FLAGS = ("flatten", "shortcash", "checksubmit", "cheat_on_close", "close_out", "fast", "trusted", "copy")
NUMBERS: list[tuple[Any, str]] = [
    (Commission, "rate"),
    (Commission, "mult"),
    (Commission, "margin"),
    (Slippage, "perc"),
    (Slippage, "fixed"),
]
SWITCHES: list[tuple[Any, str]] = [
    (Commission, "per_unit"),
    *((Slippage, x) for x in ("open", "match", "limit", "out")),
]
NO_NUMBERS: list[Any] = [math.nan, math.inf, -math.inf, True, "1", None, 1j, [1.0], np.zeros(2), np.True_, 10**400]
NO_COUNTS: list[Any] = [1.0, True, "1", None, math.nan, [1], Fraction(1, 2)]


def test_defaults() -> None:
    config = EnvConfig()
    assert {field.name: getattr(config, field.name) for field in dataclasses.fields(config)} == DEFAULTS
    assert {name: type(getattr(config, name)) for name in DEFAULTS} == {k: type(v) for k, v in DEFAULTS.items()}


def test_defaults_of_the_schemes() -> None:
    assert dataclasses.asdict(Commission()) == {"rate": 0.0, "per_unit": False, "margin": None, "mult": 1.0}
    assert dataclasses.asdict(Slippage()) == {
        "perc": 0.0,
        "fixed": 0.0,
        "open": True,
        "match": True,
        "limit": True,
        "out": False,
    }


def test_known_names() -> None:
    assert ACTIONS == ("discrete", "target_position", "target_percent")
    assert REWARDS == ("log_return", "pnl", "btgym", "btgym_potential", "differential_sharpe")
    assert set(ENGINES) >= {"auto", "cerebro"}
    assert len(set(ACCOUNT_FEATURES)) == len(ACCOUNT_FEATURES) == 10


# -- what is refused ---------------------------------------------------------------------------------------------------

NEGATIVE, ZERO = -1e-9, 0.0
REFUSED: list[tuple[dict[str, Any], type[VecbtError], str]] = [
    # observation
    ({"window": -1}, ConfigError, "window must be a whole number of at least 0, got -1"),
    ({"window": 0}, ConfigError, "window=0 shows account features alone: name at least one in account_features"),
    ({"features": ()}, ConfigError, "a window needs features: name at least one column, or set window=0"),
    ({"features": "close"}, ConfigError, "features must be a sequence of names such as .*, got 'close'"),
    ({"features": None}, ConfigError, "features must be a sequence of names"),
    ({"features": ("close", 3)}, ConfigError, "features must be a sequence of names"),
    ({"features": {"close"}}, ConfigError, "features must be a sequence of names"),  # a set has no order
    ({"features": ("close", "open", "close")}, ConfigError, "features names a column twice"),
    ({"normalize": "windows"}, UnknownNameError, "unknown normalize 'windows': did you mean 'window'"),
    ({"normalize": True}, UnknownNameError, "unknown normalize True: Known: train, window"),
    ({"normalize": ["train"]}, UnknownNameError, "unknown normalize"),
    ({"account_features": "cash"}, ConfigError, "account_features must be a sequence of names"),
    ({"account_features": ("cash", "cash")}, ConfigError, "account_features names a column twice"),
    ({"account_features": ("csh",)}, UnknownNameError, "unknown account feature 'csh': did you mean 'cash'"),
    # actions and sizes
    ({"actions": "discreet"}, UnknownNameError, "unknown actions 'discreet': did you mean 'discrete'"),
    ({"actions": None}, UnknownNameError, "unknown actions None"),
    ({"positions": ()}, ConfigError, "positions must be a sequence of multiples of the order size"),
    ({"positions": "101"}, ConfigError, "positions must be a sequence of multiples"),
    ({"positions": 1.0}, ConfigError, "positions must be a sequence of multiples"),
    ({"positions": (0.0, math.nan)}, ConfigError, "positions must be a number, got nan"),
    ({"positions": (0.0, "1")}, ConfigError, "positions must be a number, got '1'"),
    ({"order_size": ZERO}, ConfigError, "order_size must be a number of more than 0, got 0.0"),
    ({"order_size": NEGATIVE}, ConfigError, "order_size must be a number of more than 0"),
    ({"order_size": "90"}, ConfigError, "units or a percentage such as '90%', got '90'"),
    ({"order_size": "0%"}, ConfigError, "positive number of units or a percentage"),
    ({"order_size": "-5%"}, ConfigError, "positive number of units or a percentage"),
    ({"order_size": "nan%"}, ConfigError, "positive number of units or a percentage"),
    ({"order_size": "inf%"}, ConfigError, "positive number of units or a percentage"),
    ({"order_size": "%"}, ConfigError, "positive number of units or a percentage"),
    ({"order_size": "ninety%"}, ConfigError, "got 'ninety%'"),
    ({"order_size": ()}, ConfigError, "order_size must be a size, or one for each asset; got none"),
    ({"order_size": (1.0, ZERO)}, ConfigError, "order_size must be a number of more than 0"),
    ({"order_size": (1.0, "2")}, ConfigError, "got '2'"),
    ({"lot": ZERO}, ConfigError, "lot must be a number of more than 0, got 0.0"),
    ({"lot": NEGATIVE}, ConfigError, "lot must be a number of more than 0"),
    (
        {"actions": "target_percent", "leverage": 2.0},
        ConfigError,
        r"actions='target_percent' needs leverage=1\.0, got 2\.0",
    ),
    # broker
    ({"start_cash": ZERO}, ConfigError, "start_cash must be a number of more than 0, got 0.0"),
    ({"start_cash": NEGATIVE}, ConfigError, "start_cash must be a number of more than 0"),
    ({"leverage": ZERO}, ConfigError, "leverage must be a number of more than 0, got 0.0"),
    ({"commission": NEGATIVE}, ConfigError, "commission must be a number of at least 0, got -1e-09"),
    ({"slippage": NEGATIVE}, ConfigError, "slippage must be a number of at least 0 and at most 1, got -1e-09"),
    ({"slippage": 1.0000001}, ConfigError, "slippage must be a number of at least 0 and at most 1"),
    ({"max_exposure": ZERO}, ConfigError, "max_exposure must be a number of more than 0, got 0.0"),
    # episode
    ({"skip_frame": 0}, ConfigError, "skip_frame must be a whole number of at least 1, got 0"),
    ({"latency": -1}, ConfigError, "latency must be a whole number of at least 0, got -1"),
    ({"reward": "log_retrun"}, UnknownNameError, "unknown reward 'log_retrun': did you mean 'log_return'"),
    ({"reward": None}, UnknownNameError, "unknown reward None"),
    ({"reward": math.log}, ConfigError, "reward must be a name or a plain function, .* got <built-in function log>"),
    ({"reward": dict}, ConfigError, "reward must be a name or a plain function"),
    ({"reward": "btgym", "skip_frame": 4}, ConfigError, "reward='btgym' needs a skip_frame of at most 3, got 4"),
    ({"preset": "btgym", "skip_frame": 4}, ConfigError, "Set reward='btgym_potential', which takes any"),
    ({"gamma": ZERO}, ConfigError, "gamma must be a number of more than 0 and at most 1, got 0.0"),
    ({"gamma": 1.0000001}, ConfigError, "gamma must be a number of more than 0 and at most 1"),
    (
        {"drawdown_call": ZERO},
        ConfigError,
        "drawdown_call must be a number of more than 0 and at most 100 percent, got 0.0",
    ),
    ({"drawdown_call": 100.00001}, ConfigError, "drawdown_call must be a number of more than 0 and at most 100"),
    ({"target_call": ZERO}, ConfigError, "target_call must be a number of more than 0 percent, got 0.0"),
    ({"episode_steps": 0}, ConfigError, "episode_steps must be a whole number of at least 1, got 0"),
    ({"episode_steps": "all"}, ConfigError, "episode_steps must be a number, 'auto' or None, got 'all'"),
    ({"episode_steps": 10.0}, ConfigError, "episode_steps must be a whole number"),
    ({"episode_steps": True}, ConfigError, "episode_steps must be a whole number"),
    # engine
    ({"infos": "ful"}, UnknownNameError, "unknown infos 'ful': did you mean 'full'"),
    ({"infos": None}, UnknownNameError, "unknown infos None"),
    ({"preset": "btgim"}, UnknownNameError, "unknown preset 'btgim': did you mean 'btgym'"),
    ({"preset": ["btgym"]}, UnknownNameError, "unknown preset"),
    ({"infos": False}, UnknownNameError, "unknown infos False"),
    ({"cerebro": 5}, ConfigError, "cerebro must be a backtrader.Cerebro, or a function that returns one"),
    ({"strategy": int}, ConfigError, "strategy must be a subclass of vecbt.Strategy, got <class 'int'>"),
    ({"strategy": "Strategy"}, ConfigError, "strategy must be a subclass of vecbt.Strategy"),
    ({"strategy": (int, {}, {})}, ConfigError, "strategy must be a class, or a class and its parameters in a dict"),
    ({"strategy": (int, [])}, ConfigError, "strategy must be a class, or a class and its parameters in a dict"),
    ({"strategy": (int, {})}, ConfigError, "strategy must be a subclass of vecbt.Strategy"),
    # one kind of value for many fields
    *(({name: value}, ConfigError, f"{name} must be True or False") for name in FLAGS for value in (1, None, "no")),
    *(
        ({name: value}, ConfigError, f"{name} must be a whole number")
        for name in ("window", "skip_frame", "latency")
        for value in NO_COUNTS
    ),
    *(
        ({name: value}, ConfigError, f"{name} must be a number")
        for name in ("lot", "start_cash", "leverage", "slippage", "reward_scale", "gamma")
        for value in NO_NUMBERS
    ),
    *(
        ({"commission": commission}, ConfigError, "commission must be a number")
        for value in NO_NUMBERS
        for commission in ([0.0, value], *([] if isinstance(value, list) else [value]))
    ),
    ({"commission": []}, ConfigError, "commission must be a scheme, or one for each asset; got none"),
    *(
        ({name: value}, ConfigError, f"{name} must be a number")
        for name in ("max_exposure", "drawdown_call", "target_call")
        for value in NO_NUMBERS
        if value is not None
    ),
    *(
        ({"order_size": value}, ConfigError, "order_size must be a")
        for value in (math.nan, math.inf, True, 1j, np.True_)
    ),
]


@pytest.mark.parametrize(("settings", "error", "message"), REFUSED, ids=lambda value: str(value)[:60])
def test_refused(settings: dict[str, Any], error: type[VecbtError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        EnvConfig(**settings)
    assert caught.type is error
    with pytest.raises(error, match=message):
        EnvConfig.of(settings)


@pytest.mark.parametrize(
    ("scheme", "settings", "message"),
    [
        (Commission, {"rate": NEGATIVE}, r"Commission\.rate must be a number of at least 0, got -1e-09"),
        (Commission, {"mult": ZERO}, r"Commission\.mult must be a number of more than 0, got 0\.0"),
        (Commission, {"margin": ZERO}, r"Commission\.margin must be a number of more than 0, got 0\.0"),
        (Commission, {"margin": NEGATIVE}, r"Commission\.margin must be a number of more than 0"),
        (Slippage, {"perc": NEGATIVE}, r"Slippage\.perc must be a number of at least 0 and at most 1"),
        (Slippage, {"perc": 1.5}, r"Slippage\.perc must be a number of at least 0 and at most 1, got 1\.5"),
        (Slippage, {"fixed": NEGATIVE}, r"Slippage\.fixed must be a number of at least 0"),
        (Slippage, {"perc": 0.1, "fixed": 0.1}, "give perc or fixed, not both: Backtrader would ignore the second"),
        *(
            (scheme, {name: value}, rf"{scheme.__name__}\.{name} must be a number")
            for scheme, name in NUMBERS
            for value in NO_NUMBERS
            if not (name == "margin" and value is None)
        ),
        *(
            (scheme, {name: value}, rf"{scheme.__name__}\.{name} must be True or False, got {value!r}")
            for scheme, name in SWITCHES
            for value in ("no", 1, None)
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_refused_by_the_schemes(scheme: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        scheme(**settings)


def test_an_unknown_keyword_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown setting 'comission': did you mean 'commission'") as caught:
        EnvConfig.of({"comission": 0.1})
    for name in DEFAULTS:
        assert name in str(caught.value)
    with pytest.raises(UnknownNameError, match=r"unknown setting 'qqqqqq': Known: window, "):
        EnvConfig.of({"window": 3, "qqqqqq": 1})


@pytest.mark.parametrize("field", list(DEFAULTS))
def test_a_keyword_with_a_slip_of_the_pen_finds_its_field(field: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean {field!r}"):
        EnvConfig.of({field + "x": 1})


# -- what is accepted --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"window": 1},
        {"window": 0, "account_features": ("cash",)},
        {"window": 0, "features": (), "account_features": ACCOUNT_FEATURES},
        {"window": np.int64(7)},
        {"normalize": "train"},
        {"normalize": "window"},
        {"positions": (0,)},
        {"positions": [2, -2.5]},
        {"positions": (np.float32(0.5), Fraction(1, 4))},
        {"order_size": 1e-12},
        {"order_size": "0.0001%"},
        {"order_size": "250%"},
        {"order_size": np.float64(3.0)},
        {"order_size": [1, "50%"]},
        {"start_cash": 1e-9},
        {"start_cash": Fraction(1, 3)},
        {"leverage": 500},
        {"commission": 0},
        {"commission": [0.001, Commission(rate=1.0, per_unit=True)]},
        {"commission": 2.5},  # a fraction above 1 is odd, and Backtrader takes it
        {"slippage": 1},
        {"slippage": 0},
        {"max_exposure": 1e-9},
        {"reward_scale": -2.0},
        {"reward_scale": 0.0},
        *({"reward": name} for name in REWARDS),
        {"reward": lambda previous, row, state: 0.0},
        {"reward": numba.njit(lambda previous, row, state: 0.0)},
        {"reward": "btgym", "skip_frame": 3},
        {"reward": "btgym_potential", "skip_frame": 30},
        {"gamma": 1e-9},
        {"gamma": 1},
        {"drawdown_call": 100.0},
        {"target_call": 1_000.0},
        {"episode_steps": 1},
        {"episode_steps": None},
        {"episode_steps": np.int32(5)},
        {"latency": 10**6},
        {"cerebro": lambda: None},
        {"commission": Commission(rate=1.0, per_unit=True, margin=100.0, mult=50.0)},
        {"slippage": Slippage(fixed=0.5, out=True)},
    ],
    ids=name_of,
)
def test_accepted(settings: dict[str, Any]) -> None:
    config = EnvConfig(**settings)
    for name, value in settings.items():
        got = getattr(config, name)
        assert tuple(got) == tuple(value) if isinstance(value, list | tuple) else got is value


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("features", ["close", "sma(3)"]),
        ("account_features", ["value"]),
        ("positions", [0, 1]),
        ("order_size", [1, 2]),
    ],
)
def test_a_list_is_kept_as_a_tuple_of_its_own(name: str, given: list[Any]) -> None:
    config = EnvConfig(**{name: given})
    before = tuple(given)
    given.append(given[0])
    assert getattr(config, name) == before


def test_positions_are_floats() -> None:
    assert [type(x) for x in EnvConfig(positions=(-1, 0, True + 1)).positions] == [float] * 3


def test_a_strategy_is_a_class_or_a_class_and_its_parameters() -> None:
    class Derived(vecbt.Strategy):
        pass

    for strategy in (vecbt.Strategy, Derived, (Derived, {"period": 3})):
        assert EnvConfig(strategy=strategy).strategy == strategy


def test_order_sizes() -> None:
    assert EnvConfig().order_sizes("a") == ("90%",)
    assert EnvConfig(order_size=2).order_sizes("ab") == (2, 2)
    assert EnvConfig(order_size=[2, "5%"]).order_sizes("ab") == (2, "5%")
    assert EnvConfig(order_size={"b": 2, "a": "5%"}).order_sizes("ab") == ("5%", 2)
    assert EnvConfig(order_size=None).order_sizes("ab") == (None, None)


@pytest.mark.parametrize("sizes", [{"a": 1}, {"a": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}, {}])
def test_order_sizes_by_name_are_those_of_the_assets(sizes: Any) -> None:
    with pytest.raises(ConfigError, match=r"but the assets are \['a', 'b'\]: name each once"):
        EnvConfig(order_size=sizes).order_sizes("ab")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"order_size": {"a": 0.0}}, "order_size must be a number of more than 0, got 0.0"),
        ({"order_size": [1.0, None]}, "order_size must be a number of more than 0, got None"),
        ({"order_size": None, "actions": "target_position"}, "needs an order_size, of which positions are multiples"),
    ],
)
def test_what_is_no_order_size(settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EnvConfig(**settings)


@given(st.floats(1e-6, 1e6))
def test_a_percentage_is_a_hundredth(number: float) -> None:
    assert percent_of(f"{number!r}%") == number / 100.0


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.lists(st.one_of(st.text(max_size=4), st.floats(), st.integers()), max_size=3),
    st.tuples(st.integers(), st.dictionaries(st.text(), st.integers())),
    st.fractions(),
    st.decimals(),
    st.sampled_from(
        [10**400, -(10**400), int, object(), np.float32(0.25), np.datetime64("2024-01-01"), b"ab", range(3)]
    ),
)


@given(name=st.sampled_from(list(DEFAULTS)), value=ANYTHING)
def test_whatever_comes_is_taken_or_refused_by_an_error_that_names_the_field(name: str, value: Any) -> None:
    try:
        config = EnvConfig(**{name: value})
    except ConfigError as error:
        assert name.replace("_", " ").rstrip("s") in str(error).replace("_", " ")  # noqa: PT017
    else:
        assert config == EnvConfig(**{name: value})


@given(scheme=st.sampled_from([Commission, Slippage]), data=st.data())
def test_whatever_comes_is_taken_or_refused_by_the_schemes(scheme: type, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([field.name for field in dataclasses.fields(scheme)]))
    value = data.draw(ANYTHING)
    try:
        scheme(**{name: value})
    except ConfigError as error:
        assert f"{scheme.__name__}.{name}" in str(error)  # noqa: PT017


# -- a value ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [EnvConfig(), Commission(), Slippage()], ids=lambda value: type(value).__name__)
def test_frozen(value: Any) -> None:
    for field in dataclasses.fields(value):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field.name, getattr(value, field.name))
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.something_else = 1
    with pytest.raises(TypeError):
        type(value)(1)  # keywords only


EQUAL: list[tuple[Any, Any, Any]] = [
    (EnvConfig(window=3), EnvConfig(window=3), EnvConfig(window=4)),
    (EnvConfig(features=["close"]), EnvConfig(features=("close",)), EnvConfig(features=("open",))),
    (EnvConfig(commission=Commission(rate=1)), EnvConfig(commission=Commission(rate=1.0)), EnvConfig(commission=1.0)),
    (Commission(rate=0.1), Commission(rate=0.1), Commission(rate=0.1, per_unit=True)),
    (Slippage(perc=0.1), Slippage(perc=0.1), Slippage(fixed=0.1)),
]


@pytest.mark.parametrize(("first", "second", "other"), EQUAL, ids=["window", "features", "scheme", "fees", "slip"])
def test_equality_and_hash(first: Any, second: Any, other: Any) -> None:
    assert first == second
    assert hash(first) == hash(second)
    assert first != other
    assert first != dataclasses.asdict(first)
    assert len({first, second, other}) == 2


@numba.njit
def compiled_reward(previous: Any, row: Any, state: Any) -> float:
    return 0.0


BTGYM = {
    "latency": 1,
    "reward": "btgym",
    "drawdown_call": 10.0,
    "target_call": 10.0,
    "shortcash": False,
    "close_out": True,
}


@pytest.mark.parametrize("construct", [EnvConfig.of, lambda settings: EnvConfig(**settings)], ids=["of", "class"])
def test_a_preset_fills_in_what_is_not_given(construct: Any) -> None:
    config = construct({"preset": "btgym"})
    assert {field.name: getattr(config, field.name) for field in dataclasses.fields(config)} == {
        **DEFAULTS,
        **BTGYM,
        "preset": "btgym",
    }
    for name, value in DEFAULTS.items():  # what is given stays, even where it is the default
        if name in BTGYM:
            assert dataclasses.asdict(construct({"preset": "btgym", name: value})) == {
                **dataclasses.asdict(config),
                name: value,
            }
    assert construct({"preset": None}) == EnvConfig()
    assert dataclasses.replace(config, window=3).latency == 1


def reward(previous: Any, row: Any, state: Any) -> float:
    return 0.0


@pytest.mark.parametrize(
    "value",
    [
        EnvConfig(),
        EnvConfig(preset="btgym", latency=0),
        EnvConfig(reward=reward),
        EnvConfig(reward=compiled_reward),
        EnvConfig(features=["close", "rsi(14)"], order_size=[1, "2%"], slippage=Slippage(perc=0.1), episode_steps=None),
        EnvConfig(strategy=(vecbt.Strategy, {"period": 3})),
        Commission(rate=2.0, per_unit=True, margin=10.0, mult=5.0),
        Slippage(fixed=0.5, open=False, match=False, limit=False, out=True),
    ],
    ids=["defaults", "preset", "reward", "compiled", "many", "strategy", "commission", "slippage"],
)
def test_copies_and_pickles(value: Any) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) == value
    assert copy.copy(value) == value
    twin = copy.deepcopy(value)
    assert twin == value
    assert twin is not value
    assert type(twin) is type(value)


def test_a_changed_copy_is_validated() -> None:
    assert dataclasses.replace(EnvConfig(), window=3).window == 3
    with pytest.raises(ConfigError, match="window"):
        dataclasses.replace(EnvConfig(), window=-3)
