"""What a strategy reads of its account."""

from __future__ import annotations

from vecbt.kernels.layout import Asset, Row

__all__ = ["Account"]


class Account:
    """The account at the close of a bar; money in the currency of the prices."""

    __slots__ = ("_row",)

    def __init__(self, row: memoryview[float]) -> None:
        self._row = row

    def copy(self, other: Account) -> None:
        """Take over what another account holds."""
        self._row[:] = other._row

    @property
    def cash(self) -> float:
        """Cash."""
        return self._row[Row.CASH]

    @property
    def value(self) -> float:
        """Cash and positions."""
        return self._row[Row.VALUE]

    @property
    def costs(self) -> float:
        """Commission paid since the episode began."""
        return self._row[Row.COSTS]

    @property
    def realized(self) -> float:
        """Profit after commission of the trades closed since the episode began."""
        return self._row[Row.REALIZED]

    @property
    def trades(self) -> int:
        """Trades closed since the episode began."""
        return int(self._row[Row.TRADES])

    def position(self, asset: int = 0) -> float:
        """Units held of an asset, negative when short."""
        return self._row[Row.ASSETS + asset * len(Asset) + Asset.SIZE]

    def price(self, asset: int = 0) -> float:
        """Average price of the position in an asset, 0 when flat."""
        return self._row[Row.ASSETS + asset * len(Asset) + Asset.PRICE]
