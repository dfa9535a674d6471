from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

import vecbt
from tests.envs import MARKET
from vecbt.config import ACCOUNT_FEATURES, Commission, EnvConfig
from vecbt.data.bars import Bars
from vecbt.data.clock import GlobalTime
from vecbt.data.domain import RandomDomain
from vecbt.data.features import compile_features
from vecbt.data.generated.slots import SlotColumns
from vecbt.data.shared import BarColumns, DataTable, FeatureColumns, TrialColumns
from vecbt.data.store import DataStore, TableRequest
from vecbt.errors import ConfigError
from vecbt.kernels.block import Block
from vecbt.kernels.layout import ActionKind, Autoreset, Clock, Param, RewardKind, Section, Setting, Stat
from vecbt.plan import Plan, make_plan
from vecbt.shm.arena import Arena, ArraySpec

BARS = MARKET.rows(0, 400)
PER_ASSET = ("exposure", "pos_direction", "pos_duration")
LIMIT = float(np.finfo(np.float32).max)
TREND = spaces.Box(-1.0, 1.0, (2, 3), np.float32)


def table_of(config: EnvConfig, bars: Any = BARS, warmup: int = 1) -> DataTable:
    request = TableRequest(
        tuple(config.features), config.normalize, config.window, warmup, config.episode_steps, config.skip_frame
    )
    return DataStore(bars).table(request)


def plan_of(*, bars: Any = BARS, autoreset: Autoreset = Autoreset.NEXT_STEP, own: Any = None, **settings: Any) -> Plan:
    config = EnvConfig(**({"episode_steps": 20} | settings))
    return make_plan(config, table_of(config, bars), autoreset, **(own or {}))


def table_of_assets(config: EnvConfig, names: tuple[str, ...]) -> DataTable:
    """The same bars under several names, those of asset k at prices k + 1 times as high."""
    count, assets = len(BARS), len(names)
    arena = Arena(
        {
            "ohlc": ArraySpec((count, assets, 4), "float64"),
            "volume": ArraySpec((count, assets), "float64"),
            "lines": ArraySpec((0, count), "float64"),
            "stamps": ArraySpec((count,), "int64"),
            "times": ArraySpec((count,), "float64"),
        }
    )
    for asset in range(assets):
        for column, name in enumerate(("open", "high", "low", "close")):
            arena.arrays["ohlc"][:, asset, column] = BARS.column(name) * (asset + 1)
    arena.arrays["stamps"][:] = BARS.timestamps
    features = FeatureColumns.of(compile_features(config.features, BARS), None, (0, count))
    trials = TrialColumns.of(RandomDomain(BARS).trials(config.window - 1, 20), config.window - 1, 20)
    bars = BarColumns(arena, names, ((),) * assets, BARS.interval, "")
    return DataTable(bars, features, trials, GlobalTime.starting_at(0), SlotColumns.of(0, count, count, 0))


def constant(price: float, rows: int = 60) -> Bars:
    column = np.full(rows, price)
    return Bars.from_arrays(MARKET.timestamps[:rows], column, column, column, column, name="FLAT")


@pytest.fixture(scope="module")
def two_assets() -> DataTable:
    return table_of_assets(EnvConfig(), ("A", "B"))


# -- observations ------------------------------------------------------------------------------------------------------

WINDOWS = (0, 1, 30)
FEATURES = (("close",), ("open", "high", "low", "close"), ("macd", "rsi(5)"))  # macd has two lines
ACCOUNTS: tuple[tuple[str, ...], ...] = ((), ("value",), tuple(ACCOUNT_FEATURES))


@pytest.mark.parametrize(
    ("window", "features", "account", "flatten"),
    [
        case
        for case in itertools.product(WINDOWS, FEATURES, ACCOUNTS, (False, True))
        if case[0] or case[2]  # there has to be something to see
    ],
)
def test_observation_space(window: int, features: tuple[str, ...], account: tuple[str, ...], flatten: bool) -> None:
    columns = 3 if "macd" in features else len(features)
    plan = plan_of(window=window, features=features, account_features=account, flatten=flatten)
    market = spaces.Box(-LIMIT, LIMIT, (window, columns), np.float32)
    seen = spaces.Box(-LIMIT, LIMIT, (len(account),), np.float32)
    expected: spaces.Space[Any]
    if flatten:
        expected = spaces.Box(-LIMIT, LIMIT, (window * columns + len(account),), np.float32)
    elif window and account:
        expected = spaces.Dict({"market": market, "account": seen})
    else:
        expected = market if window else seen
    assert plan.observation_space == expected
    specs = plan.specs(7)
    flat = window * columns
    widths = (flat + len(account), 0) if flatten else (flat, len(account))
    assert (plan.market_width, plan.account_width) == widths
    assert specs["market"] == ((7, widths[0]), "float32")
    assert specs["account"] == ((7, widths[1]), "float32")
    for box in [expected] if isinstance(expected, spaces.Box) else expected.values():
        assert np.isfinite(box.low).all()
        assert np.isfinite(box.high).all()
        assert box.is_bounded()
    assert plan.account_features.tolist() == [ACCOUNT_FEATURES.index(name) for name in account]


def test_a_strategys_observation_stands_beside_the_others() -> None:
    plan = plan_of(account_features=("cash",), own={"state_spaces": {"trend": TREND}})
    assert isinstance(plan.observation_space, spaces.Dict)
    assert set(plan.observation_space) == {"market", "account", "trend"}
    assert plan.observation_space["trend"] == TREND
    assert plan.specs(4)["state_trend"] == ((4, 2, 3), "float32")


def test_a_strategys_observation_makes_a_dictionary_of_any() -> None:
    plan = plan_of(own={"state_spaces": {"trend": TREND}})
    assert plan.observation_space == spaces.Dict({"market": spaces.Box(-LIMIT, LIMIT, (30, 4)), "trend": TREND})
    plan = plan_of(window=0, account_features=("cash",), own={"state_spaces": {"trend": TREND}})
    assert plan.observation_space == spaces.Dict({"account": spaces.Box(-LIMIT, LIMIT, (1,)), "trend": TREND})


def test_a_strategys_observations_lie_in_arrays_of_their_own() -> None:
    parts = {"slow": spaces.Discrete(3), "fast": {"pixels": spaces.Box(0, 255, (2, 5), np.uint8), "up": TREND}}
    plan = plan_of(own={"state_spaces": {"trend": parts, "one": spaces.Box(0.0, 1.0, (), np.float64)}})
    assert isinstance(plan.observation_space, spaces.Dict)
    assert plan.observation_space["trend"] == spaces.Dict(slow=parts["slow"], fast=spaces.Dict(parts["fast"]))
    assert {name: spec for name, spec in plan.specs(4).items() if name.startswith("state_")} == {
        "state_trend/fast/pixels": ((4, 2, 5), "uint8"),
        "state_trend/fast/up": ((4, 2, 3), "float32"),
        "state_trend/slow": ((4,), "int64"),
        "state_one": ((4,), "float64"),
    }
    assert {"state_one", "state_trend/slow"} < set(plan.state_names(4))


def test_a_strategys_observation_named_like_another_takes_its_place() -> None:
    plan = plan_of(account_features=("cash",), own={"state_spaces": {"market": TREND}})
    assert plan.observation_space == spaces.Dict({"market": TREND, "account": spaces.Box(-LIMIT, LIMIT, (1,))})


def test_an_agent_sees_something() -> None:
    class Blind(vecbt.Strategy):
        pass

    with pytest.raises(ConfigError, match="window=0 leaves the agent nothing to see"):
        plan_of(window=0, strategy=Blind)
    assert plan_of(window=0, strategy=Blind, own={"state_spaces": {"trend": TREND}}).market_width == 0


def test_a_flat_observation_has_no_room_for_a_strategys() -> None:
    with pytest.raises(ConfigError, match=r"flatten=True has no room for the strategy's observations \['a', 'b'\]"):
        plan_of(flatten=True, own={"state_spaces": {"b": TREND, "a": TREND}})


# -- actions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "one", "two", "kind"),
    [
        ({}, spaces.Discrete(4), spaces.MultiDiscrete([4, 4]), ActionKind.DISCRETE),
        (
            {"actions": "target_position"},
            spaces.Discrete(3),
            spaces.MultiDiscrete([3, 3]),
            ActionKind.TARGET_POSITION,
        ),
        (
            {"actions": "target_position", "positions": (0, 0.25, 0.5, 0.75, 1)},
            spaces.Discrete(5),
            spaces.MultiDiscrete([5, 5]),
            ActionKind.TARGET_POSITION,
        ),
        (
            {"actions": "target_percent"},
            spaces.Box(-1.0, 1.0, (1,), np.float32),
            spaces.Box(-1.0, 1.0, (2,), np.float32),
            ActionKind.TARGET_PERCENT,
        ),
    ],
    ids=["discrete", "positions", "five positions", "percent"],
)
def test_action_space(settings: Any, one: Any, two: Any, kind: ActionKind) -> None:
    plan = plan_of(**settings)
    assert plan.action_space == one
    assert plan.action_space.dtype == one.dtype
    assert plan.settings[Setting.ACTIONS] == kind
    assert plan.positions.tolist() == [float(x) for x in settings.get("positions", (-1, 0, 1))]
    config = EnvConfig(**settings, order_size=1)
    both = make_plan(config, table_of_assets(config, ("A", "B")), Autoreset.NEXT_STEP)
    assert both.action_space == two
    assert both.assets == 2


def test_account_features_of_positions_have_a_column_for_each_asset() -> None:
    config = EnvConfig(account_features=ACCOUNT_FEATURES, order_size=1)
    plan = make_plan(config, table_of_assets(config, ("A", "B", "C")), Autoreset.NEXT_STEP)
    assert isinstance(plan.observation_space, spaces.Dict)
    assert plan.observation_space["account"].shape == (len(ACCOUNT_FEATURES) + 2 * len(PER_ASSET),)


# -- the arrays --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assets", [1, 3])
@pytest.mark.parametrize("autoreset", list(Autoreset))
@pytest.mark.parametrize("num_envs", [1, 5])
def test_arrays_are_those_that_kernels_read(num_envs: int, autoreset: Autoreset, assets: int) -> None:
    config = EnvConfig(account_features=("cash", "exposure"), latency=2, order_size=1)
    table = table_of_assets(config, tuple("ABC"[:assets]))
    plan = make_plan(config, table, autoreset, {"trend": TREND}, ("a", "b"), True)
    specs = plan.specs(num_envs)
    arrays = Arena(specs).arrays
    Block({**arrays, **table.arrays, **plan.constants})  # it refuses any wrong dtype, dimension or layout
    by_env = {name: spec.shape[0] for name, spec in specs.items() if not name.startswith("final_")}
    assert by_env.pop("sections") == len(Section)
    columns = ("info_floats", "info_ints", "strategy_info")  # these are an array of columns
    assert {count for name, count in by_env.items() if name not in columns} == {num_envs}
    assert specs["info_floats"].shape == (4 + 2 * assets, num_envs)
    assert specs["info_ints"].shape == (3, num_envs)
    assert specs["strategy_info"].shape == (2, num_envs)
    assert specs["queue"].shape == (num_envs, 2, assets)
    assert specs["clock"].shape == (num_envs, len(Clock))
    assert specs["stats"].shape == (num_envs, len(Stat))
    final = num_envs if autoreset == Autoreset.SAME_STEP else 0
    for name, spec in specs.items():
        if name.startswith("final_"):
            twin = specs[name.removeprefix("final_")]
            assert spec.dtype == twin.dtype
            assert spec.shape == tuple(
                final if size == num_envs and axis == _env_axis(name) else size for axis, size in enumerate(twin.shape)
            )
    assert plan.settings[Setting.AUTORESET] == autoreset
    assert plan.settings[Setting.REWARD] == RewardKind.EXTERNAL


def _env_axis(name: str) -> int:
    return 1 if name in ("final_info_floats", "final_info_ints", "final_strategy_info") else 0


def test_numbers_that_kernels_read() -> None:
    plan = plan_of(
        start_cash=5_000.0,
        drawdown_call=25.0,
        target_call=40.0,
        reward="pnl",
        reward_scale=-2.0,
        lot=0.5,
        skip_frame=3,
        latency=4,
        close_out=True,
        window=12,
        episode_steps=6,
    )
    params, settings = plan.params, plan.settings
    assert params[Param.START_CASH] == 5_000.0
    assert params[Param.DRAWDOWN_CALL] == params[Param.DRAWDOWN_SCALE] == 25.0
    assert params[Param.TARGET_VALUE] == 5_000.0 * 1.4
    assert params[Param.TARGET_SCALE] == 40.0
    assert params[Param.REWARD_SCALE] == -2.0
    assert params[Param.LOT] == 0.5
    assert params[Param.TRIAL_ALPHA : Param.EPISODE_BETA + 1].tolist() == [1.0] * 4
    wanted = {
        Setting.WINDOW: 12,
        Setting.SKIP: 3,
        Setting.LATENCY: 4,
        Setting.REWARD: RewardKind.PNL,
        Setting.CLOSE_OUT: 1,
        Setting.BARS: 18,  # six steps of three bars
        Setting.LOOKBACK: 11,
        Setting.NORMALIZE: 0,
        Setting.SEQUENTIAL: 0,
        Setting.ALIGNED: 0,
        Setting.FLATTEN: 0,
    }
    assert {setting: int(settings[setting]) for setting in wanted} == {k: int(v) for k, v in wanted.items()}


def test_calls_that_are_not_set_never_come() -> None:
    params = plan_of().params
    assert params[Param.DRAWDOWN_CALL] == params[Param.TARGET_VALUE] == np.inf
    assert params[Param.DRAWDOWN_SCALE] == params[Param.TARGET_SCALE] == 10.0  # BTGym's


@pytest.mark.parametrize(
    ("episode_steps", "skip_frame", "bars"),
    [(None, 1, 0), ("auto", 1, 370), ("auto", 7, 364), (1, 1, 1), (370, 1, 370), (50, 7, 350)],
)
def test_bars_of_an_episode(episode_steps: Any, skip_frame: int, bars: int) -> None:
    plan = plan_of(episode_steps=episode_steps, skip_frame=skip_frame)
    assert plan.settings[Setting.BARS] == bars  # of 400 rows 29 are look-back, and one is the first observation


@pytest.mark.parametrize(("normalize", "own"), [(None, 0), ("train", 0), ("window", 1)])
def test_only_windows_that_normalize_themselves_do_so_in_the_kernel(normalize: Any, own: int) -> None:
    assert plan_of(normalize=normalize).settings[Setting.NORMALIZE] == own


# -- order sizes -------------------------------------------------------------------------------------------------------


@given(
    sizes=st.lists(st.one_of(st.floats(0.01, 20.0), st.integers(1, 40).map(lambda x: f"{x}%")), min_size=2, max_size=2)
)
def test_order_sizes_are_units_or_negative_fractions(two_assets: DataTable, sizes: list[Any]) -> None:
    config = EnvConfig(order_size=sizes, lot=0.001)
    plan = make_plan(config, two_assets, Autoreset.NEXT_STEP)
    for size, got in zip(sizes, plan.order_size, strict=True):
        assert got == (-float(size[:-1]) / 100.0 if isinstance(size, str) else size)


def test_one_order_size_is_for_all(two_assets: DataTable) -> None:
    assert make_plan(EnvConfig(order_size=2), two_assets, Autoreset.NEXT_STEP).order_size.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("assets", [1, 3])
def test_as_many_commissions_as_assets(assets: int) -> None:
    config = EnvConfig(commission=(0.001, 0.002), order_size=1.0)
    with pytest.raises(ConfigError, match=rf"commission has 2 schemes for {assets} assets: give one, or one for each"):
        make_plan(config, table_of_assets(config, tuple("ABC"[:assets])), Autoreset.NEXT_STEP)


@pytest.mark.parametrize(("sizes", "assets"), [((1.0, 2.0), 1), ((1.0, 2.0, 3.0), 2)])
def test_as_many_order_sizes_as_assets(two_assets: DataTable, sizes: Any, assets: int) -> None:
    config = EnvConfig(order_size=sizes)
    table = two_assets if assets == 2 else table_of(config)
    with pytest.raises(ConfigError, match=rf"order_size has {len(sizes)} sizes for {assets} assets: give one, or one"):
        make_plan(config, table, Autoreset.NEXT_STEP)


FITS: list[dict[str, Any]] = [
    {"order_size": 100.0},  # exactly what start_cash pays for
    {"order_size": "100%"},
    {"order_size": "1%"},
    {"order_size": 99.0, "commission": 0.01},
    {"order_size": 99.0, "commission": Commission(rate=1.0, per_unit=True)},
    {"order_size": 200.0, "leverage": 2.0},
    {"order_size": 10.0, "commission": Commission(margin=1_000.0, mult=50.0)},
    {"order_size": 50.0, "actions": "target_position", "positions": (-2.0, 0.0, 2.0)},
    {"order_size": 100.0, "actions": "target_position", "positions": (-5.0, 0.0, 1.0)},
    {"order_size": "0.5%", "lot": 0.5},
    {"order_size": 0.001},  # numbers are taken as they are
    {"order_size": 1e9, "actions": "target_percent"},  # not used
]
TOO_LARGE: list[dict[str, Any]] = [
    {"order_size": 100.0001},
    {"order_size": "101%"},
    {"order_size": 100.0, "commission": 0.01},
    {"order_size": 100.0, "commission": Commission(rate=1.0, per_unit=True)},
    {"order_size": 201.0, "leverage": 2.0},
    {"order_size": 11.0, "commission": Commission(margin=1_000.0, mult=50.0)},
    {"order_size": 51.0, "actions": "target_position", "positions": (-2.0, 0.0, 2.0)},
    {"order_size": 1.0, "start_cash": 99.0},
]
TOO_SMALL: list[dict[str, Any]] = [
    {"order_size": "0.99%"},
    {"order_size": "90%", "start_cash": 100.0},
    {"order_size": "0.5%", "lot": 0.6},
    {"order_size": "90%", "lot": 91.0},
]


@pytest.mark.parametrize("settings", FITS, ids=str)
def test_order_sizes_that_can_be_paid(settings: Any) -> None:
    plan_of(bars=constant(100.0), **settings)


@pytest.mark.parametrize("settings", TOO_LARGE, ids=str)
def test_an_order_that_the_starting_cash_never_pays_for(settings: Any) -> None:
    message = (
        r"order_size=.* is .* units and costs .* at FLAT's price of 100: start_cash=.* does not pay for one order\. "
        r"Set a smaller order_size, more start_cash or leverage"
    )
    with pytest.raises(ConfigError, match=message):
        plan_of(bars=constant(100.0), **settings)


@pytest.mark.parametrize("settings", TOO_SMALL, ids=str)
def test_an_order_of_no_units(settings: Any) -> None:
    message = (
        r"order_size='.*%' of start_cash=.* is less than one lot of .* at FLAT's price of 100: every order would be "
        r"for 0 units\. Set a smaller lot, more start_cash or a larger order_size"
    )
    with pytest.raises(ConfigError, match=message):
        plan_of(bars=constant(100.0), **settings)


def test_rows_before_the_first_possible_episode_do_not_count() -> None:
    prices = np.where(np.arange(60) < 29, 1e6, 100.0)  # a window of 30 bars begins no episode in the first 29 rows
    bars = Bars.from_arrays(MARKET.timestamps[:60], prices, prices, prices, prices, name="FALL")
    plan_of(bars=bars, order_size=100)
    with pytest.raises(ConfigError, match="FALL's price of 1e"):
        plan_of(bars=bars, order_size=100, window=1)


def test_the_asset_to_blame_is_named(two_assets: DataTable) -> None:
    close = float(BARS.close[29:].max())
    config = EnvConfig(order_size=np.floor(10_000.0 / close))  # A can be paid for, B costs twice as much
    with pytest.raises(ConfigError, match="at B's price"):
        make_plan(config, two_assets, Autoreset.NEXT_STEP)
