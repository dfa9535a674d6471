"""Orders with the content of Backtrader's own, made without what nobody has asked for.

Stock Backtrader spends some 25 microseconds on the making of an order: a parameter object by metaclass, two data
records, a dictionary for remarks, and the end of the session by way of two calendar conversions. Here an attribute
that an order does not use stays a default of its class, and what can be derived is derived when it is read.
"""

from __future__ import annotations

import datetime
from collections import deque
from typing import Any

from backtrader.order import BuyOrder, Order, OrderData, SellOrder
from backtrader.utils import num2date
from backtrader.utils.autodict import AutoOrderedDict

__all__ = ["FastBuy", "FastSell", "make_order"]

_ALIVE = frozenset((Order.Created, Order.Submitted, Order.Accepted, Order.Partial))
_TRAILING = (Order.StopTrail, Order.StopTrailLimit)
_INFINITY = float("inf")
_END_OF_DAY = datetime.time(23, 59, 59, 9999)  # as Backtrader writes it: 9.999 milliseconds


class _Executed(OrderData):
    """What has been executed of an order; everything that starts at zero is a class attribute."""

    pclose: float = 0.0
    trailamount: float | None = 0.0
    trailpercent: float | None = 0.0
    exbits: Any = ()
    p1 = p2 = 0
    dt: float | None = None
    size: float = 0
    remsize: float = 0
    price: float | None = 0.0
    pricelimit: float | None = 0.0
    _plimit: float | None = 0.0
    value = comm = pnl = 0.0
    margin = None
    psize: float = 0
    pprice: float = 0

    def __init__(self) -> None:
        pass

    def clone(self) -> _Executed:
        if type(self.exbits) is tuple:
            self.exbits = deque()  # clones share it, so it has to exist
        self.p1, self.p2 = self.p2, len(self.exbits)
        twin = _Executed.__new__(_Executed)
        twin.__dict__.update(self.__dict__)
        return twin


class _Created(_Executed):
    """What was asked for when an order was made."""

    trailamount: float | None = None
    trailpercent: float | None = None


class _Params:
    """``order.params``: the values that the order was made with, read through to the order."""

    __slots__ = ("_order",)
    simulated = False

    def __init__(self, order: Any) -> None:
        self._order = order

    @property
    def size(self) -> float:
        return abs(self._order.size)  # type: ignore[no-any-return]

    @property
    def pricelimit(self) -> float | None:
        return self._order._plimit  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._order, name)


class _FastOrder:
    """Mixin to the left of Backtrader's order classes."""

    # Attributes of every order, here with the value that a plain market order has.
    broker = comminfo = oco = pannotated = None
    valid = trailamount = trailpercent = parent = None
    triggered = simulated = histnotify = False
    transmit = True
    tradeid = 0
    position = 0
    _limitoffset = 0.0
    _active = True
    status = Order.Created
    exectype = Order.Market
    # Set when the order leaves its group (see FastBroker): a filled, cancelled or rejected order.
    oco_over = bracket_over = False

    @property
    def info(self) -> AutoOrderedDict:
        info = self.__dict__.get("_info")
        if info is None:
            info = self._info = AutoOrderedDict()
        return info

    def __getattr__(self, name: str) -> Any:
        # Backtrader looks into the parameters here, of which everything is an attribute of the order already.
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def dteos(self) -> Any:
        """End of the session of the creation bar as a date number; only orders of type Close read it."""
        data = self.data  # type: ignore[attr-defined]
        created = num2date(self.created.dt, tz=data._tz)  # type: ignore[attr-defined]
        end = data.p.sessionend
        end = created.replace(hour=end.hour, minute=end.minute, second=end.second, microsecond=end.microsecond)
        if end < created:
            end += datetime.timedelta(days=1)
        return data.date2num(end)

    def clone(self) -> Any:
        _ = self.info  # clones share it, so it has to exist
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.executed = self.executed.clone()  # type: ignore[attr-defined]
        return twin

    def alive(self) -> bool:
        return self.status in _ALIVE

    def active(self) -> bool:
        return self._active

    def addinfo(self, **kwargs: Any) -> None:
        if kwargs:
            self.info.update(kwargs)

    def margin(self) -> None:
        self.status = Order.Margin
        self.executed.dt = self.data.datetime[0]  # type: ignore[attr-defined]

    def cancel(self) -> None:
        self.status = Order.Canceled
        self.executed.dt = self.data.datetime[0]  # type: ignore[attr-defined]

    def reject(self, broker: Any = None) -> bool:
        if self.status == Order.Rejected:
            return False
        self.status = Order.Rejected
        self.executed.dt = self.data.datetime[0]  # type: ignore[attr-defined]
        return True


class FastBuy(_FastOrder, BuyOrder):
    """A buy order."""


class FastSell(_FastOrder, SellOrder):
    """A sell order; its ``size`` is negative."""


# Set afterwards: the metaclass would take `params` in a class body, or of a base, for a declaration of parameters.
FastBuy.params = FastSell.params = FastBuy.p = FastSell.p = property(_Params)


def make_order(
    cls: type[FastBuy] | type[FastSell],
    owner: Any,
    data: Any,
    size: float,
    price: float | None,
    plimit: float | None,
    exectype: int | None,
    valid: Any,
    tradeid: int,
    trailamount: float | None,
    trailpercent: float | None,
    parent: Any,
    transmit: bool,
) -> Any:
    """An order as ``cls(...)`` of stock Backtrader would be, field by field."""
    order: Any = object.__new__(cls)
    created = _Created()
    executed = _Executed()
    attributes = order.__dict__
    if cls is FastSell:
        size = -size
    attributes["owner"] = owner
    attributes["data"] = data
    attributes["size"] = size
    attributes["price"] = price
    attributes["pricelimit"] = attributes["_plimit"] = plimit
    attributes["ref"] = next(Order.refbasis)
    attributes["created"] = created
    attributes["executed"] = executed
    executed.remsize = size

    index = data.clock.index
    created.pclose = close = data.closes[index]
    created.dt = data.times[index]
    created.size = size
    if not price and not plimit:
        created.price = created.pricelimit = close
    else:
        created.price = price or plimit
        created.pricelimit = plimit or price
    created._plimit = plimit

    if tradeid:
        attributes["tradeid"] = tradeid
    if parent is not None:
        attributes["parent"] = parent
        attributes["_active"] = False
    if not transmit:
        attributes["transmit"] = transmit
    if exectype:
        attributes["exectype"] = exectype
    if valid is not None:
        attributes["valid"] = _valid_until(valid, data)
    if trailamount is not None or trailpercent is not None:
        attributes["trailamount"] = created.trailamount = trailamount
        attributes["trailpercent"] = created.trailpercent = trailpercent
    if exectype in _TRAILING:
        reference: Any = created.price
        attributes["_limitoffset"] = reference - created.pricelimit
        created.price = _INFINITY if cls is FastBuy else -_INFINITY
        order.trailadjust(reference)
    return order


def _valid_until(valid: Any, data: Any) -> Any:
    """``valid`` as Backtrader stores it; a plain number is an absolute date number and 0 never expires."""
    if isinstance(valid, datetime.date):
        return data.date2num(valid)
    if isinstance(valid, datetime.timedelta):
        if valid == Order.DAY:
            return data.date2num(datetime.datetime.combine(data.datetime.date(), _END_OF_DAY))
        return data.date2num(data.datetime.datetime() + valid)
    return valid
