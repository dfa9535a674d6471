"""Trades: what Backtrader makes of the executions of an asset between flat and flat."""

from __future__ import annotations

from typing import Any

from backtrader.trade import Trade

__all__ = ["FastTrade", "book_execution"]


class FastTrade(Trade):
    """A trade whose attributes exist once they differ from those of every new trade."""

    size: float = 0
    price = value = commission = 0.0
    pnl = pnlcomm = 0.0
    justopened = isopen = isclosed = False
    baropen = barclose = barlen = 0
    dtopen = dtclose = 0.0
    historyon = False
    status = Trade.Created

    def __init__(self, data: Any, tradeid: int) -> None:
        self.ref = next(Trade.refbasis)
        self.data = data
        self.tradeid = tradeid

    @property
    def history(self) -> list[Any]:
        return []

    def fill(self, size: float, price: float, commission: float, comminfo: Any, index: int, when: float) -> None:
        """``Trade.update`` on the bar ``index`` with date number ``when``; the same operations in the same order."""
        self.commission += commission
        before = self.size
        self.size = after = before + size
        opened = self.justopened = not before
        if opened:
            self.baropen = index + 1
            self.dtopen = when
            self.long = after > 0
            self.barlen = 0
        else:
            self.barlen = index + 1 - self.baropen
        if after:
            self.isopen, self.isclosed, self.status = True, False, Trade.Open
        else:
            self.isopen, self.isclosed, self.status = False, bool(before), Trade.Closed
            self.barclose = index + 1
            self.dtclose = when
        if abs(after) > abs(before):
            self.price = (before * self.price + size * price) / after
            self.pnl += 0.0
        else:
            self.pnl += comminfo.profitandloss(-size, self.price, price)
        self.pnlcomm = self.pnl - self.commission
        self.value = comminfo.getvaluesize(after, self.price)


def book_execution(trades: Any, order: Any, execution: Any, comminfo: Any, announced: list[Any] | None) -> Any:
    """Enter one execution of an order into the trades of its asset.

    Args:
        trades: The strategy's trades by asset and trade id, as Backtrader keeps them.
        order: The order.
        execution: Its `backtrader.order.OrderExecutionBit`.
        comminfo: The commission scheme of the asset.
        announced: Collects copies of the trades that were opened or closed, for `notify_trade`; None if nobody
            listens.

    Returns:
        The trade that the execution closed, or None.
    """
    data = order.data
    of_asset = trades[data][order.tradeid]
    if of_asset:
        trade = of_asset[-1]
    else:
        trade = FastTrade(data, order.tradeid)
        of_asset.append(trade)
    index = data.clock.index
    when = data.times[index]
    closed = None
    if execution.closed:
        trade.fill(execution.closed, execution.price, execution.closedcomm, comminfo, index, when)
        if trade.isclosed:
            closed = trade
            if announced is not None:
                announced.append(_copy(trade))
    if execution.opened:
        if trade.isclosed:
            trade = FastTrade(data, order.tradeid)
            of_asset.append(trade)
        trade.fill(execution.opened, execution.price, execution.openedcomm, comminfo, index, when)
        # Orders with several trade ids may bring the position to zero here while they "open" by their sign.
        if trade.isclosed:
            closed = trade
            if announced is not None:
                announced.append(_copy(trade))
    if trade.justopened and announced is not None:
        announced.append(_copy(trade))
    return closed


def _copy(trade: FastTrade) -> FastTrade:
    twin = FastTrade.__new__(FastTrade)
    twin.__dict__.update(trade.__dict__)
    return twin
