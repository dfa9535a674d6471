"""Keeps the account row of one environment from what Backtrader's broker does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backtrader.order import Order

from vecbt.brokers.cerebro.trades import book_execution
from vecbt.kernels.layout import Asset, OrderStatus, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["STATUS", "Ledger"]

STATUS = {
    Order.Partial: int(OrderStatus.PARTIAL),
    Order.Completed: int(OrderStatus.COMPLETED),
    Order.Canceled: int(OrderStatus.CANCELED),
    Order.Expired: int(OrderStatus.EXPIRED),
    Order.Margin: int(OrderStatus.MARGIN),
    Order.Rejected: int(OrderStatus.REJECTED),
}
"""Backtrader's order status -> `OrderStatus`; Created, Submitted and Accepted are no news."""

# Plain integers: an enum member as an index costs more than the store itself.
_COSTS, _FILLS, _TRADES, _WINS = int(Row.COSTS), int(Row.FILLS), int(Row.TRADES), int(Row.WINS)
_REALIZED, _GAINS = int(Row.REALIZED), int(Row.GAINS)
_CASH, _VALUE, _LEVERAGE = int(Row.CASH), int(Row.VALUE), int(Row.LEVERAGE)
_ASSETS, _STRIDE = int(Row.ASSETS), len(Asset)
_SIZE, _PRICE, _STATUS = int(Asset.SIZE), int(Asset.PRICE), int(Asset.STATUS)


class Ledger:
    """Writes executions, closed trades and order statuses into an account row.

    The row is a memoryview of float64 over the shared buffer, the quickest thing in Python to write a number to.
    """

    __slots__ = ("columns", "row", "trades")

    def __init__(self, row: memoryview[float]) -> None:
        self.row = row
        #: Column at which each asset's group begins, by feed.
        self.columns: dict[Any, int] = {}
        #: The strategy's trades, of the current run.
        self.trades: Any = None

    def clear(self, cash: float) -> None:
        """Write a fresh account."""
        row = self.row
        for column in range(len(row)):
            row[column] = 0.0
        row[_CASH] = row[_VALUE] = cash

    def begin(self, strategy: Any, datas: Sequence[Any]) -> None:
        """Follow a run's trades, from a fresh account on."""
        self.trades = strategy._trades
        self.columns = {data: _ASSETS + number * _STRIDE for number, data in enumerate(datas)}

    def on_execution(self, order: Any, execution: Any) -> None:
        """Enter an execution, of which Backtrader's own notification has been skipped."""
        trade = book_execution(self.trades, order, execution, order.comminfo, None)
        self.enter(order, execution)
        if trade is not None:
            self.close_trade(trade)

    def enter(self, order: Any, execution: Any) -> None:
        """Enter the costs and the outcome of an execution."""
        row = self.row
        row[_COSTS] += execution.comm
        row[_FILLS] += 1.0
        self.on_status(order)

    def close_trade(self, trade: Any) -> None:
        """Enter a closed trade."""
        row = self.row
        profit = trade.pnlcomm
        row[_TRADES] += 1.0
        row[_REALIZED] += profit
        if profit > 0.0:
            row[_WINS] += 1.0
            row[_GAINS] += profit

    def on_status(self, order: Any) -> None:
        """Remember the status of an order if it is the worst of its asset in this step."""
        self.report(order.data, STATUS.get(order.status, 0))

    def report(self, data: Any, status: int) -> None:
        """Remember a status of an asset's orders if it is the worst in this step."""
        column = self.columns[data] + _STATUS
        if status > self.row[column]:
            self.row[column] = status

    def mark(self, broker: Any) -> None:
        """Write the account as it stands at the close of the bar."""
        row = self.row
        row[_CASH] = broker.cash
        row[_VALUE] = broker._value
        row[_LEVERAGE] = broker._leverage
        positions = broker.positions
        for data, column in self.columns.items():
            if data in positions:
                entry = positions[data]
                row[column + _SIZE] = entry.size
                row[column + _PRICE] = entry.price
