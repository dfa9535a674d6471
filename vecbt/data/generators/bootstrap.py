"""Real bars in a new order."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from vecbt.arrays import FloatArray
from vecbt.data.aligned import AlignedBars
from vecbt.data.bars import Bars
from vecbt.data.domain import Domain, RandomDomain
from vecbt.data.generators.generator import COLUMNS
from vecbt.data.generators.parameters import Parameter, check_parameter, draw
from vecbt.errors import ConfigError, TooFewBarsError
from vecbt.kernels.paths import resample
from vecbt.settings import check_number

__all__ = ["BlockBootstrap", "one_asset"]


@dataclasses.dataclass(frozen=True, eq=False)
class BlockBootstrap:
    """Blocks of consecutive real bars, drawn with replacement and chained to a new history.

    The stationary bootstrap of Politis and Romano, "The stationary bootstrap" (1994): a block begins at any bar with
    the same probability and has a geometrically distributed length; after the last bar comes the first. What is drawn
    are a bar's open, high, low and close as multiples of the close before it, and its volume: within a block the bars
    keep their shapes, their gaps and whatever ties one to the next, and from block to block the price goes on where it
    was.

    Attributes:
        data: Anything that `read_bars` reads. Of a `Domain` only the training rows are used: no test row reaches a
            generated trial.
        block: Average length of a block in bars, at least 1; with 1 the bars are independent of each other.
        price: The close before a trial's first bar; None for the last close of the data. A number, or `Uniform` or
            `LogUniform` to have each trial draw its own.

    Raises:
        ConfigError: If a parameter is out of its range.

    Example:
        >>> import vecbt
        >>> market = vecbt.data.synthetic_market(2_000, seed=0)
        >>> resampled = BlockBootstrap(market, block=60)
        >>> resampled.generate(np.random.default_rng(0), 500).shape
        (500, 5)
    """

    data: Any
    block: float = 100.0
    price: Parameter | None = None

    def __post_init__(self) -> None:
        check_number("block", self.block, low=1.0)
        if self.price is not None:
            check_parameter("price", self.price, low=0.0, open_low=True)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_shapes"}

    @functools.cached_property
    def _shapes(self) -> tuple[FloatArray, float]:
        """float64 (T - 1, 5), each bar over the close before it, and its volume; and the last close."""
        domain = self.data if isinstance(self.data, Domain) else RandomDomain(self.data)
        bars, (first, end) = one_asset(domain.bars), domain.train_rows
        if end - first < 2:
            raise TooFewBarsError(f"a bootstrap needs at least 2 bars, got {end - first}", source=bars.name)
        table = np.stack([bars.column(name)[first:end] for name in COLUMNS], axis=1)
        closes = table[:, 3].copy()
        table[:, 1], table[:, 2] = table[:, :4].max(axis=1), table[:, :4].min(axis=1)  # within the readers' tolerance
        table[1:, :4] /= closes[:-1, None]
        return table[1:], float(closes[-1])

    def generate(self, rng: np.random.Generator, bars: int) -> FloatArray:
        """See `vecbt.data.generators.BarGenerator.generate`.

        Raises:
            DataError: If the data cannot be read, or are a single bar.
            ConfigError: If they are of several assets.
        """
        shapes, last = self._shapes
        price = last if self.price is None else draw(self.price, rng)
        made = np.empty((bars, len(COLUMNS)))
        resample(shapes, rng.random(bars), self.block, price, made)
        return made


def one_asset(bars: Bars | AlignedBars) -> Bars:
    """The bars of the only asset.

    Raises:
        ConfigError: If there are several assets.
    """
    if isinstance(bars, Bars):
        return bars
    if len(bars.by_asset) > 1:
        raise ConfigError(f"trials are generated of one asset, the data have {len(bars.by_asset)}: {bars.name}")
    return next(iter(bars.by_asset.values()))
