"""The strategy that an agent steers."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

import backtrader as bt

from vecbt.brokers.cerebro.guard import guard_lines, refuse_delays
from vecbt.brokers.cerebro.trades import book_execution
from vecbt.errors import StrategyError
from vecbt.kernels.layout import Instruction, OrderStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    import gymnasium

    from vecbt.brokers.cerebro.runner import Episode
    from vecbt.brokers.cerebro.stats import BrokerStats

__all__ = ["Strategy"]


class Strategy(bt.Strategy):
    """A `backtrader.Strategy` whose decisions come from an agent.

    It runs in an ordinary ``cerebro.run()``. At the close of every bar, after ``next()``, the agent sees the bar and
    the account, and its decision arrives at `act`, which by default places the order that it stands for. Subclass it to
    add indicators, orders of your own (stops, brackets, one-cancels-others), and columns of your own to what the agent
    sees:

    * ``set_datalines()`` makes indicators, as ``__init__`` would.
    * ``get_<key>_state()`` returns the observation ``key``, declared in ``state_shape``.
    * ``get_reward()`` replaces the reward of the configuration; ``get_done()`` ends the episode (*terminated*).
    * ``get_info()`` returns a number for each name in ``info_keys``; they appear in ``infos``.

    Indicators are warmed up with the bars before the episode's first observation; an order placed during that
    warm-up is an error.

    Attributes:
        state_shape: Further observations: for each key one of Gymnasium's spaces Box, Discrete, MultiDiscrete and
            MultiBinary, of any shape and dtype, or a dictionary of them, as deep as you like. One that is named
            ``market`` or ``account`` takes the place of that part.
        info_keys: Names of the numbers that ``get_info()`` returns.
        lookback: Bars before the current one that may be read on the first observation already, of data and of
            indicators; the warm-up is so much longer.

    The three may also be set on the instance, in ``set_datalines()``, where parameters decide what they are; they have
    to be the same for every environment and episode.

    Example:
        A moving average that the agent sees, and a reward of its own:

        >>> import backtrader as bt, gymnasium, numpy as np, vecbt
        >>> class Trend(vecbt.Strategy):
        ...     state_shape = {"trend": gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)}
        ...
        ...     def set_datalines(self):
        ...         self.average = bt.indicators.SMA(self.data.close, period=20)
        ...
        ...     def get_trend_state(self):
        ...         return np.sign([self.data.close[0] - self.average[0]], dtype=np.float32)
        ...
        ...     def get_reward(self):
        ...         return self.episode.account.value - self.episode.previous.value
        >>> market = vecbt.data.synthetic_market(500, seed=1)
        >>> envs = vecbt.make_vec(market, num_envs=2, engine="cerebro", num_workers=0, strategy=Trend)
        >>> observation, infos = envs.reset(seed=1)
        >>> sorted(observation), observation["trend"].shape
        (['market', 'trend'], (2, 1))
        >>> envs.close()
    """

    state_shape: ClassVar[Mapping[str, gymnasium.spaces.Box]] = {}
    info_keys: ClassVar[tuple[str, ...]] = ()
    lookback: ClassVar[int] = 0

    _minperiods: list[int]  # Backtrader's own, for type checkers

    def __init__(self) -> None:
        self.set_datalines()

    # -- for subclasses ----------------------------------------------------------------------------------------------

    def set_datalines(self) -> None:
        """Make indicators and lines; called once per episode, before its first bar."""

    def act(self, data: Any, instruction: Instruction, amount: float | None) -> None:
        """Place the order that the agent's decision stands for.

        Called at the close of a bar, once for each asset with something to do. Override it to give an action another
        meaning, a bracket order for instance. Positions that ``close_out`` closes do not come here.

        Args:
            data: The asset's feed.
            instruction: What to do.
            amount: Units for BUY, SELL and TARGET_SIZE, a fraction of the account's value for TARGET_PERCENT; None
                where ``order_size`` leaves it to the sizer.
        """
        if instruction == 1:  # plain integers: this runs on every order
            self.buy(data, amount)
        elif instruction == 2:
            self.sell(data, amount)
        elif instruction == 3:
            self.close(data)
        elif instruction == 4:
            self.order_target_size(data, amount)
        elif instruction == 5:
            self.order_target_percent(data, amount)

    def get_reward(self) -> float:
        """The reward of the step that ends with this bar; overriding it replaces the configured one."""
        raise NotImplementedError

    def get_done(self) -> bool:
        """Whether the episode ends with this bar (*terminated*); asked on every bar, skipped ones too."""
        raise NotImplementedError

    def get_info(self) -> Mapping[str, float]:
        """A number for each name in ``info_keys``, once per step."""
        raise NotImplementedError

    # -- what Backtrader calls -----------------------------------------------------------------------------------------

    @property
    def episode(self) -> Episode:
        """The running episode."""
        return self.cerebro.episode  # type: ignore[no-any-return]

    @property
    def broker_stats(self) -> BrokerStats:
        """BTGym's ten statistics of the account at the current bar, as the agent sees them in account features."""
        return self.episode.broker_stats

    def _start(self) -> None:
        self.episode.begin(self)
        self._ordered: deque[tuple[int, Any, float]] = deque()  # bar, feed and units, for max_exposure
        super()._start()
        refuse_delays(self)
        self.episode.started(self)

    def _periodset(self) -> None:
        super()._periodset()
        self._minperiods = [period + self.lookback for period in self._minperiods]
        self._minperiod += self.lookback

    def _once(self) -> None:
        super()._once()
        guard_lines(self)

    def _getminperstatus(self) -> int:
        status: int = super()._getminperstatus()
        if status <= 0:
            self.episode.live = True
        return status

    def _oncepost(self, dt: float) -> None:
        super()._oncepost(dt)
        if self._minperstatus <= 0:
            self.episode.exchange()

    def _next(self) -> None:
        super()._next()
        if self._minperstatus <= 0:
            self.episode.exchange()

    def _addnotification(self, order: Any, quicknotify: bool = False) -> None:
        ledger = self.episode.ledger
        if not order.executed.size:
            super()._addnotification(order, quicknotify)
            ledger.on_status(order)
            return
        if self.episode.fast and not quicknotify and not self._tradehistoryon:
            self._orderspending.append(order)
            for execution in order.executed.iterpending():
                trade = book_execution(self._trades, order, execution, order.comminfo, self._tradespending)
                ledger.enter(order, execution)
                if trade is not None:
                    ledger.close_trade(trade)
            ledger.on_status(order)
            return
        known = len(self._tradespending)
        super()._addnotification(order, quicknotify)
        for execution in order.executed.iterpending():
            ledger.enter(order, execution)
        for trade in self._tradespending[known:]:
            if trade.isclosed:
                ledger.close_trade(trade)
        ledger.on_status(order)

    def buy(self, data: Any = None, size: float | None = None, *args: Any, **kwargs: Any) -> Any:
        """As `backtrader.Strategy.buy`; None where ``max_exposure`` refuses it."""
        data, size = self._checked(data, size, isbuy=True)
        return self._counted(super().buy(data, size, *args, **kwargs))

    def sell(self, data: Any = None, size: float | None = None, *args: Any, **kwargs: Any) -> Any:
        """As `backtrader.Strategy.sell`; None where ``max_exposure`` refuses it."""
        data, size = self._checked(data, size, isbuy=False)
        return self._counted(super().sell(data, size, *args, **kwargs))

    def _checked(self, data: Any, size: float | None, isbuy: bool) -> tuple[Any, float]:
        """The asset and size of an order; 0 units, for which Backtrader makes no order, where it is refused."""
        episode = self.episode
        if not episode.live:
            raise StrategyError(
                f"{type(self).__name__} placed an order before the episode's first observation: the bars of the "
                f"warm-up are there for indicators alone. Place orders in next() or act(), not in prenext()"
            )
        if isinstance(data, str):
            data = self.getdatabyname(data)
        elif data is None:
            data = self.datas[0]
        if size is None:
            size = self.getsizing(data, isbuy=isbuy)
        limit = episode.max_exposure
        # For 0 units, of which target orders ask for often, there is no order that could be refused.
        if limit is not None and size and self._exposure_after(data, abs(size), isbuy) > limit:
            episode.ledger.report(data, int(OrderStatus.REFUSED))
            return data, 0
        return data, size

    def _counted(self, order: Any) -> Any:
        """The order; with ``max_exposure`` one to be filled on the next bar counts for those that follow on this."""
        limited = self.episode.max_exposure is not None and order is not None
        if limited and order.exectype == order.Market and order.active():  # no child of a bracket
            self._ordered.append((len(self), order.data, order.size))
        return order

    def _exposure_after(self, data: Any, size: float, isbuy: bool) -> float:
        """Gross exposure over the account's value if this bar's orders were filled at its close."""
        exposure = 0.0
        positions = self.broker.positions
        while self._ordered and self._ordered[0][0] < len(self):
            self._ordered.popleft()
        for feed in self.datas:
            # Not getposition(), which enters the asset: their order decides the last bit of the account's value.
            held = positions[feed].size if feed in positions else 0.0
            for _, ordered, units in self._ordered:
                if ordered is feed:
                    held += units
            units = held
            if feed is data:
                units = held + size if isbuy else held - size
                if abs(units) < abs(held):
                    return 0.0  # it only reduces what is there
            exposure += abs(units) * feed.close[0] * self.broker.getcommissioninfo(feed).p.mult
        value = self.broker.getvalue()
        return exposure / value if value > 0.0 else float("inf")
