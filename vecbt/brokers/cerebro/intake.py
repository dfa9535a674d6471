"""Orders on their way into the broker: made, entered into their groups, sent, accepted."""

from __future__ import annotations

from typing import Any, Protocol

from backtrader.brokers.bbroker import BackBroker
from backtrader.order import Order, OrderExecutionBit

from vecbt.brokers.cerebro.orders import FastBuy, FastSell, make_order

__all__ = ["Listener", "OrderIntake"]


class Listener(Protocol):
    """Who is told at once of executions and refusals when nobody listens to Backtrader's notifications."""

    def on_execution(self, order: Any, execution: OrderExecutionBit) -> None:
        """An order has been executed in full or in part."""

    def on_status(self, order: Any) -> None:
        """An order was refused, rejected, cancelled or has expired."""


class OrderIntake(BackBroker):
    """Backtrader's broker, in which an order that is in no group costs no group.

    Attributes:
        listener: Takes executions directly instead of Backtrader's notifications; set by the engine when no
            strategy, analyzer or observer could see the difference.
    """

    listener: Listener | None = None
    _fast = False

    # -- the making of orders --------------------------------------------------------------------------------------

    def buy(self, owner: Any, data: Any, size: float, *args: Any, **kwargs: Any) -> Any:
        if not self._fast:
            return super().buy(owner, data, size, *args, **kwargs)
        return self._order(FastBuy, owner, data, size, *args, **kwargs)

    def sell(self, owner: Any, data: Any, size: float, *args: Any, **kwargs: Any) -> Any:
        if not self._fast:
            return super().sell(owner, data, size, *args, **kwargs)
        return self._order(FastSell, owner, data, size, *args, **kwargs)

    def _order(
        self,
        cls: type[FastBuy] | type[FastSell],
        owner: Any,
        data: Any,
        size: float,
        price: float | None = None,
        plimit: float | None = None,
        exectype: int | None = None,
        valid: Any = None,
        tradeid: int = 0,
        oco: Any = None,
        trailamount: float | None = None,
        trailpercent: float | None = None,
        parent: Any = None,
        transmit: bool = True,
        histnotify: bool = False,
        _checksubmit: bool = True,
        **info: Any,
    ) -> Any:
        order = make_order(
            cls, owner, data, size, price, plimit, exectype, valid, tradeid, trailamount, trailpercent, parent, transmit
        )
        if info:
            order.addinfo(**info)
        if oco is None and parent is None and transmit:
            return self.transmit(order, check=_checksubmit)  # alone: its groups are formed if it is ever named in one
        if oco is not None:
            self._form_oco_group(oco)
        if parent is not None:
            self._form_bracket(parent)
            self._form_oco_group(parent)  # it is sent once more with its child, and its first fill cancels its double
        self._ocoize(order, oco)
        return self.submit(order, check=_checksubmit)

    def _form_oco_group(self, leader: Any) -> None:
        """Enter an order that has been alone so far as Backtrader would have done when it was made."""
        if leader.ref not in self._ocos:
            self._ocos[leader.ref] = leader.ref
            if not leader.oco_over:
                self._ocol[leader.ref].append(leader.ref)

    def _form_bracket(self, parent: Any) -> None:
        if parent.parent is None and parent.ref not in self._pchildren and not parent.bracket_over:
            self._pchildren[parent.ref].extend([] if parent.status == Order.Completed else [parent])

    def transmit(self, order: Any, check: bool = True) -> Any:
        if not self._fast:
            return super().transmit(order, check)
        if check and self.p.checksubmit:
            order.status = Order.Submitted
            order.plen = order.data.clock.index + 1
            self.submitted.append(order)
            if self.listener is None:
                self.notifs.append(order.clone())
        else:
            self.submit_accept(order)
        return order

    def submit_accept(self, order: Any) -> None:
        order.pannotated = None
        order.plen = len(order.data)
        order.status = Order.Accepted
        order.broker = None
        self.pending.append(order)
        if self.listener is None:
            self.notifs.append(order.clone())

    # -- groups ----------------------------------------------------------------------------------------------------

    def _take_children(self, order: Any) -> Any:
        if self._fast and order.parent is None and order.ref not in self._pchildren:
            return order.ref  # alone: its own group
        return super()._take_children(order)

    def _ococheck(self, order: Any) -> None:
        if self._fast and order.ref not in self._ocos:
            order.oco_over = True
        else:
            super()._ococheck(order)

    def _bracketize(self, order: Any, cancel: bool = False) -> None:
        if self._fast and order.parent is None and order.ref not in self._pchildren:
            order.bracket_over = order.bracket_over or cancel
        else:
            super()._bracketize(order, cancel)
            leader = order if order.parent is None else order.parent
            if self._fast and leader.ref not in self._pchildren:
                leader.bracket_over = True

    def notify(self, order: Any) -> None:
        if self.listener is None:
            self.notifs.append(order.clone())
        else:
            self.listener.on_status(order)
