"""BTGym's broker statistics for strategies: the numbers of the account features, by the same code."""

from __future__ import annotations

from vecbt.arrays import FloatArray
from vecbt.brokers.cerebro.loops import account_stat
from vecbt.kernels.layout import AccountFeature

__all__ = ["BrokerStats"]

# Plain numbers: numba takes long to recognize a member of an enumeration.
_CODES = {feature.name.lower(): int(feature) for feature in AccountFeature}


class BrokerStats:
    """The account at the close of a bar in BTGym's terms; formulas in `vecbt.kernels.observe.write_account`.

    An agent that has a name among its ``account_features`` sees the same number, rounded to float32.
    """

    __slots__ = ("_params", "_row", "_track")

    def __init__(self, row: FloatArray, track: FloatArray, params: FloatArray) -> None:
        self._row, self._track, self._params = row, track, params

    def _stat(self, name: str, asset: int = 0) -> float:
        return account_stat(_CODES[name], asset, self._row, self._track, self._params)  # type: ignore[no-any-return]

    @property
    def cash(self) -> float:
        """Cash, from -1 for a loss of 99 % of the start to 1 at the target call."""
        return self._stat("cash")

    @property
    def value(self) -> float:
        """Value of the account, from -1 at the drawdown call to 1 at the target call."""
        return self._stat("value")

    @property
    def drawdown(self) -> float:
        """Percent below the highest value of the episode."""
        return self._stat("drawdown")

    @property
    def realized_pnl(self) -> float:
        """Profit after commission of the trades closed on this bar, as a share of the range between the calls."""
        return self._stat("realized_pnl")

    @property
    def unrealized_pnl(self) -> float:
        """Value beyond that when a trade was last closed, as a share of the range between the calls."""
        return self._stat("unrealized_pnl")

    @property
    def min_unrealized_pnl(self) -> float:
        """The lowest of it since the position was opened."""
        return self._stat("min_unrealized_pnl")

    @property
    def max_unrealized_pnl(self) -> float:
        """The highest of it since the position was opened."""
        return self._stat("max_unrealized_pnl")

    def exposure(self, asset: int = 0) -> float:
        """Units held of an asset over the starting cash times the account's leverage."""
        return self._stat("exposure", asset)

    def pos_direction(self, asset: int = 0) -> float:
        """1 for a long position in an asset, -1 for a short one, 0 for none."""
        return self._stat("pos_direction", asset)

    def pos_duration(self, asset: int = 0) -> float:
        """Bars that the position in an asset has been open."""
        return self._stat("pos_duration", asset)
