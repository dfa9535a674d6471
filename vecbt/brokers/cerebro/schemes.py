"""The arithmetic of commission schemes and positions: Backtrader's own formulas on plain attributes."""

from __future__ import annotations

from backtrader import CommInfoBase

__all__ = ["Scheme", "commission", "released", "required", "updated"]

_SCHEME_METHODS = (
    "profitandloss",
    "getvaluesize",
    "getvalue",
    "getoperationcost",
    "_getcommission",
    "getcommission",
    "confirmexec",
    "cashadjust",
    "get_leverage",
    "get_margin",
    "get_credit_interest",
    "_get_credit_interest",
)


class Scheme:
    """A commission scheme's parameters as plain attributes."""

    __slots__ = ("comminfo", "leverage", "margin", "mult", "percent", "rate", "stocklike")

    def __init__(self, comminfo: CommInfoBase) -> None:
        p = comminfo.p
        self.comminfo = comminfo
        self.stocklike: bool = comminfo._stocklike
        self.percent: bool = comminfo._commtype == CommInfoBase.COMM_PERC
        self.rate: float = p.commission
        self.mult: float = p.mult
        self.margin: float = p.margin
        self.leverage: float = p.leverage

    @staticmethod
    def knows(comminfo: CommInfoBase) -> bool:
        """Whether the scheme is one of Backtrader's own formulas, without interest and automatic margins."""
        return (
            all(getattr(type(comminfo), name) is getattr(CommInfoBase, name) for name in _SCHEME_METHODS)
            and not comminfo.p.automargin
            and comminfo._creditrate == 0.0
        )


def updated(size0: float, price0: float, size: float, price: float) -> tuple[float, float, float, float]:
    """``Position.update``: new size, new price, and how much of ``size`` opens and closes."""
    after = size0 + size
    if not after:
        return after, 0.0, 0, size
    if not size0:
        return after, price, size, 0
    if (size0 > 0) == (size > 0):
        return after, (price0 * size0 + size * price) / after, size, 0
    if (after > 0) == (size0 > 0):
        return after, price0, 0, size
    return after, price, after, -size0


def released(scheme: Scheme, shortcash: bool, closed: float, price: float) -> float:
    """Cash that closing frees (negative where it is a short that has to be bought back)."""
    if not scheme.stocklike:
        value = abs(closed) * scheme.margin
    elif shortcash:
        value = -closed * price
    else:
        value = abs(closed) * price
    return value / scheme.leverage if value > 0 else value


def required(scheme: Scheme, shortcash: bool, opened: float, price: float) -> float:
    """Cash that opening ties up."""
    if not scheme.stocklike:
        value = abs(opened) * scheme.margin
    elif shortcash:
        value = opened * price
    else:
        value = abs(opened) * price
    return value / scheme.leverage if value > 0 else value


def commission(scheme: Scheme, size: float, price: float) -> float:
    """What an execution costs."""
    return abs(size) * scheme.rate * price if scheme.percent else abs(size) * scheme.rate
