"""What an environment is: every setting, validated."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

from vecbt.errors import ConfigError, UnknownNameError
from vecbt.settings import check_choice, check_flag, check_integer, check_names, check_number
from vecbt.spaces import ActionDictSpace

__all__ = ["ACCOUNT_FEATURES", "ACTIONS", "ENGINES", "REWARDS", "Commission", "EnvConfig", "Slippage"]

ENGINES = ("auto", "cerebro", "compiled")
ACTIONS = ("discrete", "target_position", "target_percent")
BASE_ACTIONS = ("hold", "buy", "sell", "close")
REWARDS = ("log_return", "pnl", "btgym", "btgym_potential", "differential_sharpe")
PRESETS: dict[str, dict[str, Any]] = {
    "btgym": {
        "latency": 1,
        "reward": "btgym",
        "drawdown_call": 10.0,
        "target_call": 10.0,
        "shortcash": False,
        "close_out": True,
    },
}
NORMALIZATIONS = ("window", "train")
INFOS = ("full", "episode", "none")
ACCOUNT_FEATURES = (
    "cash",
    "value",
    "exposure",
    "drawdown",
    "pos_direction",
    "pos_duration",
    "realized_pnl",
    "unrealized_pnl",
    "min_unrealized_pnl",
    "max_unrealized_pnl",
)

T = TypeVar("T")
RewardFunction: TypeAlias = Callable[[Any, Any, Any], float]
"""``(previous_row, row, state) -> float``; see `vecbt.kernels.own_reward`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Commission:
    """A commission scheme of Backtrader.

    Attributes:
        rate: Commission, as a fraction of the traded value (0.001 = 10 basis points) or in currency per unit.
        per_unit: Whether ``rate`` is in currency per unit.
        margin: Currency tied up per contract; given, the asset is a future: its profit is settled in cash every bar
            and its price is never paid. None for assets that are bought at their price.
        mult: Currency per point of price and unit.
    """

    rate: float = 0.0
    per_unit: bool = False
    margin: float | None = None
    mult: float = 1.0

    def __post_init__(self) -> None:
        check_number("Commission.rate", self.rate, low=0.0)
        check_flag("Commission.per_unit", self.per_unit)
        check_number("Commission.mult", self.mult, low=0.0, open_low=True)
        if self.margin is not None:
            check_number("Commission.margin", self.margin, low=0.0, open_low=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slippage:
    """How much worse than the market an order is filled; the settings of Backtrader's broker.

    Attributes:
        perc: Fraction of the price.
        fixed: Points of price, where ``perc`` is 0.
        open: Whether orders that fill at the open slip.
        match: Cap the slipped price at the bar's high or low; otherwise the order waits where it would lie beyond.
        limit: The same for limit orders, with the limit as the cap, even without ``match``.
        out: Slip beyond the bar's high or low.
    """

    perc: float = 0.0
    fixed: float = 0.0
    open: bool = True
    match: bool = True
    limit: bool = True
    out: bool = False

    def __post_init__(self) -> None:
        check_number("Slippage.perc", self.perc, low=0.0, high=1.0)
        check_number("Slippage.fixed", self.fixed, low=0.0)
        for name in ("open", "match", "limit", "out"):
            check_flag(f"Slippage.{name}", getattr(self, name))
        if self.perc and self.fixed:
            raise ConfigError("Slippage: give perc or fixed, not both: Backtrader would ignore the second")


def _with_presets(cls: type[T]) -> type[T]:
    """Let the constructor fill in what a preset has and the caller has not given: only there the two can be told."""
    construct: Any = cls.__init__

    @functools.wraps(construct)
    def init(self: T, *args: Any, **settings: Any) -> None:
        preset = settings.get("preset")
        construct(self, *args, **{**(PRESETS.get(preset, {}) if isinstance(preset, str) else {}), **settings})

    cls.__init__ = init  # type: ignore[method-assign, assignment]
    return cls


@_with_presets
@dataclasses.dataclass(frozen=True, kw_only=True)
class EnvConfig:
    """Everything about an environment but its data and the number of copies.

    Attributes:
        window: Bars of an observation; 0 shows account features alone.
        features: Columns of the window: columns of the data, or expressions such as ``"log_return"``, ``"sma(20)"``,
            ``"close / sma(200) - 1"``, ``"rsi(14)"``; computed once over the data set, from past rows alone. Of several
            assets each stands for one column per asset, unless it names them: ``"EURUSD.close / USDJPY.close"``.
        normalize: None; ``"window"``: columns in price units become ``x / c - 1`` with c the window's last close, all
            others lose their mean and are divided by their deviation over the window; ``"train"``: every column loses
            its mean and is divided by its deviation over the training rows.
        account_features: What the agent sees of its account, see `ACCOUNT_FEATURES` and `vecbt.kernels.observe`; with
            any, the observation is a dictionary of ``market`` and ``account``.
        flatten: One flat vector instead: the window row by row, then the account.
        actions: ``"discrete"``: hold, buy, sell, close. ``"target_position"``: one of ``positions``.
            ``"target_percent"``: a fraction of the account's value from -1 to 1; of several assets the fractions are
            divided by the sum of their amounts where that is more than 1. A `vecbt.spaces.ActionDictSpace` of
            the data's assets, with BTGym's actions: its base actions are ``"hold"`` and any of ``"buy"``, ``"sell"``
            and ``"close"``; without, its weights are target percentages from 0 to 1, divided by their sum, the cash's
            included, where that is more than 1. One asset may be called ``"default_asset"``, as in BTGym.
        positions: Multiples of ``order_size`` to choose from with ``"target_position"``.
        order_size: Units per buy or sell: a number, or one per asset, in a sequence or by the assets' names; a
            percentage (``"90%"``) is that share of ``start_cash`` at the episode's first close, rounded down to
            ``lot``. None with the Cerebro engine: the sizer of the Cerebro or the strategy decides with every order.
        lot: Smallest step of sizes that are computed (percentages and targets); numbers are taken as they are.
        start_cash: Cash at the start of an episode, in the currency of the prices.
        leverage: Value that may be held per unit of cash.
        shortcash: Backtrader's: a short sale of stock adds its proceeds to the cash.
        checksubmit: Backtrader's: orders that the cash cannot cover are refused when they are sent.
        cheat_on_close: Backtrader's: orders are filled at the close that the agent has seen, one bar later.
        commission: A fraction of the traded value, exactly ``broker.setcommission(commission=x, leverage=leverage)``,
            or a `Commission`; or one per asset, in a sequence or by the assets' names.
        slippage: A fraction of the price, exactly ``broker.set_slippage_perc(x)``, or a `Slippage`.
        max_exposure: Orders after which the positions, of all assets together, would be worth more than this multiple
            of the account's value are refused before the broker sees them; orders that reduce a position never are.
            Market orders that were sent before on the same bar count as filled. None for no limit: Backtrader then
            lets a short sale of stock grow for ever.
        skip_frame: Bars per step; the action acts on the first of them.
        latency: Bars between a decision and its order.
        reward: ``"log_return"``: ln(V / V'), V the account's value and V' that at the previous observation;
            ``"pnl"``: V - V', in currency; ``"btgym"``: BTGym's, whose clipping and double count of profits it keeps,
            with ``skip_frame`` of at most 3; ``"btgym_potential"``: the same with a potential that is 0 without a
            position, so that it leaves the best policy what it is; ``"differential_sharpe"``: Moody and Saffell's.
            The formulas are in `vecbt.kernels.reward`. Or a function ``(previous_row, row, state) -> float`` that
            numba can compile: the account rows at the previous observation and now, float64, whose columns
            `vecbt.Row` and `vecbt.Asset` name, and eight numbers to keep what it likes in, 0 when an episode begins.
            A strategy's ``get_reward`` goes before it.
        reward_scale: Factor of the reward, of those above that have a name; also the bound of ``"btgym"``, either way.
        gamma: Discount of the potential in ``"btgym"`` and ``"btgym_potential"``: the agent's own.
        drawdown_call: The episode terminates when the account is this many percent below its highest value; None for
            never.
        target_call: The episode terminates when the account is worth this many percent more than ``start_cash``.
        close_out: Close every position, in all assets, before an episode ends, so that its result is realized. Orders
            of a strategy's own that still wait are cancelled.
        episode_steps: Steps of an episode, its start drawn among all rows that leave room for it; ``"auto"`` is 1000,
            or all that there are; None is from the first possible row to the end of the trial.
        strategy: Cerebro engine: a `vecbt.Strategy` class, or a pair of a class and its parameters.
        cerebro: Cerebro engine: a `backtrader.Cerebro` with analyzers, observers, sizers, commission schemes of its
            own, of which every environment gets a copy, or a function that makes one. Broker settings given here that
            are not the defaults are applied to it. What analyzers find is in
            `vecbt.vector.TradingVectorEnv.get_stat`.
        fast: Cerebro engine: run Cerebro, its broker and its orders by quicker subclasses with the same results.
        trusted: Cerebro engine: allow the strategy to read bars of the future.
        copy: Whether observations and info columns belong to the caller; otherwise they are views, valid until the
            next call.
        infos: ``"full"``, ``"episode"`` (statistics of ended episodes alone) or ``"none"`` (but for the last
            observations of episodes in the mode SAME_STEP).
        preset: ``"btgym"``: where they are not given, ``latency=1``, ``reward="btgym"``, ``drawdown_call=10.0``,
            ``target_call=10.0``, ``shortcash=False`` and ``close_out=True``, as BTGym has them.

    Raises:
        ConfigError: If a value is out of range, or values do not go together.
        UnknownNameError: If a name is not known.

    Example:
        >>> EnvConfig(window=10, commission=0.001).window
        10
        >>> config = EnvConfig(preset="btgym", target_call=25.0)
        >>> config.reward, config.latency, config.drawdown_call, config.target_call
        ('btgym', 1, 10.0, 25.0)
        >>> EnvConfig(commission=-0.001)
        Traceback (most recent call last):
        ...
        vecbt.errors.ConfigError: commission must be a number of at least 0, got -0.001
    """

    window: int = 30
    features: Sequence[str] = ("open", "high", "low", "close")
    normalize: Literal["window", "train"] | None = None
    account_features: Sequence[str] = ()
    flatten: bool = False
    actions: Literal["discrete", "target_position", "target_percent"] | ActionDictSpace = "discrete"
    positions: Sequence[float] = (-1.0, 0.0, 1.0)
    order_size: float | str | Sequence[float | str] | Mapping[str, float | str] | None = "90%"
    lot: float = 1.0
    start_cash: float = 10_000.0
    leverage: float = 1.0
    shortcash: bool = True
    checksubmit: bool = True
    cheat_on_close: bool = False
    commission: float | Commission | Sequence[float | Commission] | Mapping[str, float | Commission] = 0.0
    slippage: float | Slippage = 0.0
    max_exposure: float | None = None
    skip_frame: int = 1
    latency: int = 0
    reward: Literal["log_return", "pnl", "btgym", "btgym_potential", "differential_sharpe"] | RewardFunction = (
        "log_return"
    )
    reward_scale: float = 1.0
    gamma: float = 0.99
    drawdown_call: float | None = None
    target_call: float | None = None
    close_out: bool = False
    episode_steps: int | Literal["auto"] | None = "auto"
    strategy: type | tuple[type, dict[str, Any]] | None = None
    cerebro: Any = None
    fast: bool = True
    trusted: bool = False
    copy: bool = True
    infos: Literal["full", "episode", "none"] = "full"
    preset: Literal["btgym"] | None = None

    @classmethod
    def of(cls, settings: dict[str, Any]) -> EnvConfig:
        """A configuration from keyword arguments.

        Raises:
            ConfigError: As the class, and for a keyword that is none of its fields; the nearest one is suggested.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in settings:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise UnknownNameError(f"unknown setting {name!r}: {hint}Known: {', '.join(known)}")
        return cls(**settings)

    def __post_init__(self) -> None:
        self._check_observation()
        self._check_actions()
        self._check_broker()
        self._check_episode()
        self._check_engine()

    def _check_observation(self) -> None:
        check_integer("window", self.window, low=0)
        self._set("features", check_names("features", self.features))
        self._set("account_features", check_names("account_features", self.account_features))
        check_choice("normalize", self.normalize, NORMALIZATIONS, optional=True)
        for name in self.account_features:
            if name not in ACCOUNT_FEATURES:
                raise UnknownNameError.of("account feature", name, ACCOUNT_FEATURES)
        if self.window and not self.features:
            raise ConfigError("a window needs features: name at least one column, or set window=0")
        if not self.window and not self.account_features and self.strategy is None:
            raise ConfigError("window=0 shows account features alone: name at least one in account_features")
        for name in ("flatten", "shortcash", "checksubmit", "cheat_on_close", "close_out", "fast", "trusted", "copy"):
            check_flag(name, getattr(self, name))

    def _check_actions(self) -> None:
        self._check_action_space()
        positions: Any = self.positions
        if isinstance(positions, str) or not isinstance(positions, Sequence) or not positions:
            raise ConfigError(f"positions must be a sequence of multiples of the order size, got {positions!r}")
        self._set("positions", tuple(check_number("positions", x) for x in positions))
        sizes = self._check_each("order_size", "a size")
        if sizes == (None,) and self.action_kind == "target_position":
            raise ConfigError(
                "actions='target_position' needs an order_size, of which positions are multiples; got None"
            )
        for size in sizes if sizes != (None,) else ():
            _check_size(size)
        check_number("lot", self.lot, low=0.0, open_low=True)
        if self.action_kind == "target_percent" and self.leverage != 1.0:
            raise ConfigError(
                f"actions={self.actions!r} needs leverage=1.0, got {self.leverage}: Backtrader multiplies the size of "
                f"a target order by the leverage and then never reaches its target"
            )

    def _check_action_space(self) -> None:
        if not isinstance(self.actions, ActionDictSpace):
            check_choice("actions", self.actions, ACTIONS)
            return
        base = self.actions.base_actions
        for name in base:
            check_choice("base action", name, BASE_ACTIONS)
        if base and base[0] != "hold":
            raise ConfigError(f"the first of the base actions must be 'hold', got {base!r}")

    def _check_broker(self) -> None:
        check_number("start_cash", self.start_cash, low=0.0, open_low=True)
        check_number("leverage", self.leverage, low=0.0, open_low=True)
        for commission in self._check_each("commission", "a scheme"):
            if not isinstance(commission, Commission):
                check_number("commission", commission, low=0.0)
        if not isinstance(self.slippage, Slippage):
            check_number("slippage", self.slippage, low=0.0, high=1.0)
        if self.max_exposure is not None:
            check_number("max_exposure", self.max_exposure, low=0.0, open_low=True)

    def _check_episode(self) -> None:
        check_integer("skip_frame", self.skip_frame, low=1)
        check_integer("latency", self.latency, low=0)
        self._check_reward()
        if self.drawdown_call is not None:
            check_number("drawdown_call", self.drawdown_call, low=0.0, high=100.0, open_low=True, unit=" percent")
        if self.target_call is not None:
            check_number("target_call", self.target_call, low=0.0, open_low=True, unit=" percent")
        steps: Any = self.episode_steps
        if isinstance(steps, str) and steps != "auto":
            raise ConfigError(f"episode_steps must be a number, 'auto' or None, got {steps!r}")
        if steps is not None and steps != "auto":
            check_integer("episode_steps", steps, low=1)

    def _check_reward(self) -> None:
        reward: Any = self.reward
        check_number("reward_scale", self.reward_scale)
        check_number("gamma", self.gamma, low=0.0, high=1.0, open_low=True)
        if not callable(reward):
            check_choice("reward", reward, REWARDS)
        elif not isinstance(getattr(reward, "py_func", reward), types.FunctionType):
            raise ConfigError(f"reward must be a name or a plain function, which numba can compile, got {reward!r}")
        if reward == "btgym" and self.skip_frame > 3:
            raise ConfigError(
                f"reward='btgym' needs a skip_frame of at most 3, got {self.skip_frame}: its formula averages over "
                f"the two last frames and BTGym keeps four bars, beyond which it has no value. Set "
                f"reward='btgym_potential', which takes any"
            )

    def _check_engine(self) -> None:
        check_choice("infos", self.infos, INFOS)
        check_choice("preset", self.preset, tuple(PRESETS), optional=True)
        if self.cerebro is not None and not callable(self.cerebro):  # as a Cerebro is too
            raise ConfigError(
                f"cerebro must be a backtrader.Cerebro, or a function that returns one, got {self.cerebro!r}"
            )
        strategy = self.strategy
        if isinstance(strategy, tuple):
            if len(strategy) != 2 or not isinstance(strategy[1], dict):
                raise ConfigError(
                    f"strategy must be a class, or a class and its parameters in a dict, got {strategy!r}"
                )
            strategy = strategy[0]
        if strategy is not None:
            # By name along the bases: importing Backtrader to check for it would slow every import of vecbt.
            bases = [f"{base.__module__}.{base.__qualname__}" for base in getattr(strategy, "__mro__", ())]
            if "vecbt.strategy.Strategy" not in bases:
                raise ConfigError(f"strategy must be a subclass of vecbt.Strategy, got {strategy!r}")

    def _check_each(self, name: str, what: str) -> tuple[Any, ...]:
        """Keep a setting that may be one for all assets or one for each; returns all that there are."""
        given = getattr(self, name)
        if isinstance(given, Mapping):
            self._set(name, dict(given))
            return tuple(given.values())
        if isinstance(given, str) or not isinstance(given, Sequence):
            return (given,)
        if not given:
            raise ConfigError(f"{name} must be {what}, or one for each asset; got none")
        self._set(name, tuple(given))
        return tuple(given)

    def _of_each(self, name: str, what: str, assets: Sequence[str]) -> tuple[Any, ...]:
        """The value of such a setting for each asset.

        Raises:
            ConfigError: If there is not one for each.
        """
        given = getattr(self, name)
        if isinstance(given, dict):
            if set(given) != set(assets):
                raise ConfigError(f"{name} names {sorted(given)}, but the assets are {sorted(assets)}: name each once")
            return tuple(given[asset] for asset in assets)
        if not isinstance(given, tuple):
            return (given,) * len(assets)
        if len(given) not in (1, len(assets)):
            raise ConfigError(f"{name} has {len(given)} {what} for {len(assets)} assets: give one, or one for each")
        return given * len(assets) if len(given) == 1 else given

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # the class is frozen for everybody else

    @property
    def action_kind(self) -> str:
        """What actions come to, whatever their form: one of `ACTIONS`."""
        if not isinstance(self.actions, ActionDictSpace):
            return self.actions
        return "discrete" if self.actions.is_discrete else "target_percent"

    def order_sizes(self, assets: Sequence[str]) -> tuple[float | str | None, ...]:
        """The order size of each asset.

        Raises:
            ConfigError: If there is not one for each.
        """
        return self._of_each("order_size", "sizes", assets)

    def commissions(self, assets: Sequence[str]) -> tuple[Commission, ...]:
        """The commission scheme of each asset.

        Raises:
            ConfigError: If there is not one for each.
        """
        given = self._of_each("commission", "schemes", assets)
        return tuple(one if isinstance(one, Commission) else Commission(rate=one) for one in given)


def _check_size(size: object) -> None:
    if isinstance(size, str):
        percent_of(size)
    else:
        check_number("order_size", size, low=0.0, open_low=True)


def percent_of(text: str) -> float:
    """A percentage as a fraction.

    Raises:
        ConfigError: If it is none, or not positive.

    Example:
        >>> percent_of("90%")
        0.9
    """
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = math.nan
    if not text.endswith("%") or not 0.0 < number < math.inf:
        raise ConfigError(f"order_size must be a positive number of units or a percentage such as '90%', got {text!r}")
    return number / 100.0
