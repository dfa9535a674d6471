"""Fills and trades of a recorded episode."""

from __future__ import annotations

import dataclasses

import numpy as np

from vecbt.runs.recording import Recording

__all__ = ["Fill", "Trade", "fills_of", "trades_of"]

_SLACK = 1e-9
"""How far a price that rounding has touched may lie beyond the bar's, relative to it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fill:
    """A change of a position.

    Attributes:
        step: Index of the observation that shows it; the step before it brought it about.
        bar: Index of its bar in `Recording.ohlc`.
        asset: Index of the asset.
        size: Units, negative when sold.
        price: Price of a unit.
        costs: Commission, in currency.
        position: Units held afterwards.
    """

    step: int
    bar: int
    asset: int
    size: float
    price: float
    costs: float
    position: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trade:
    """What lies between a flat position and the next, as Backtrader counts trades.

    Attributes:
        asset: Index of the asset.
        long: Whether units were held, not owed.
        entry_bar: Index of the bar of the first fill in `Recording.ohlc`.
        exit_bar: Index of the bar of the last one; of an open trade the last bar.
        size: The most units that were held.
        entry_price: Mean price of what was opened, by units.
        exit_price: Mean price of what was closed; of an open trade its open part at the last close.
        profit: In currency, after costs.
        costs: Commission, in currency.
        open: Whether the episode ended before the trade.
    """

    asset: int
    long: bool
    entry_bar: int
    exit_bar: int
    size: float
    entry_price: float
    exit_price: float
    profit: float
    costs: float
    open: bool


def fills_of(recording: Recording) -> list[Fill]:
    """The fills of an episode of assets that are bought at their price, in their order.

    A position's average price tells the price at which it was opened or enlarged: where it was opened or turned round,
    it is that price to the bit. The price of a reduction follows from the cash that it brought, where there is one
    asset; where there are several, it is taken for the open of its bar, at which market orders fill but for slippage.
    All that happened to an asset between two observations is one fill, on the first bar of the step.

    Example:
        >>> import vecbt
        >>> from vecbt.runs import EpisodeRecorder
        >>> market = vecbt.data.synthetic_market(500, seed=0)
        >>> envs = vecbt.make_vec(market, episode_steps=3)
        >>> _, infos = envs.reset(seed=0)
        >>> recorder = EpisodeRecorder(envs, market, infos, "compiled")
        >>> for action in (1, 0, 3):  # buy, hold, close
        ...     recorder.step([action], envs.step([action]))
        >>> (recording,) = recorder.recordings(["somebody"], fold=0)
        >>> [(fill.step, fill.size) for fill in fills_of(recording)]
        [(1, 91.0), (3, -91.0)]
        >>> bool(fills_of(recording)[0].price == recording.ohlc[1, 0, 0])
        True
        >>> envs.close()
    """
    changes = np.diff(recording.positions, axis=0, prepend=0.0)
    found = []
    for step in np.flatnonzero(changes.any(axis=1)).tolist():
        bar = int(recording.rows[step - 1] + 1 - recording.rows[0]) if step else 0
        assets = np.flatnonzero(changes[step]).tolist()
        prices = [_price(recording, step, bar, asset) for asset in assets]
        paid = float(recording.costs[step] - (recording.costs[step - 1] if step else 0.0))
        turnover = sum(abs(changes[step, asset]) * price for asset, price in zip(assets, prices, strict=True))
        for asset, price in zip(assets, prices, strict=True):
            size = float(changes[step, asset])
            share = abs(size) * price / turnover if len(assets) > 1 else 1.0
            position = float(recording.positions[step, asset])
            found.append(
                Fill(step=step, bar=bar, asset=asset, size=size, price=price, costs=paid * share, position=position)
            )
    return found


def _price(recording: Recording, step: int, bar: int, asset: int) -> float:
    held, price = recording.positions[:, asset], recording.position_prices[:, asset]
    before, after = (float(held[step - 1]) if step else 0.0), float(held[step])
    size = after - before
    if before == 0.0 or before * after < 0.0:
        return float(price[step])
    if abs(after) > abs(before):
        return float((price[step] * after - price[step - 1] * before) / size)
    opening = recording.ohlc[bar, asset, 0]
    if len(recording.assets) == 1:
        cash, costs = recording.cash, recording.costs
        paid = float((cash[step] - cash[step - 1]) + (costs[step] - costs[step - 1]))
        found = -paid / size
        high, low = _range_of_step(recording, step, bar, asset)
        if low * (1.0 - _SLACK) <= found <= high * (1.0 + _SLACK):
            return found
    return float(opening)


def _range_of_step(recording: Recording, step: int, bar: int, asset: int) -> tuple[float, float]:
    """Highest and lowest price of the bars of a step."""
    last = int(recording.rows[step] - recording.rows[0])
    bars = recording.ohlc[bar : last + 1, asset]
    return float(bars[:, 1].max()), float(bars[:, 2].min())


def trades_of(recording: Recording) -> list[Trade]:
    """The trades of an episode, in the order of their ends; those that are still open come last.

    A fill that turns a position round ends a trade and begins the next, with its costs divided by units.
    """
    closed: list[Trade] = []
    running: dict[int, list[Fill]] = {}
    for fill in fills_of(recording):
        own = running.setdefault(fill.asset, [])
        before = fill.position - fill.size
        if before * fill.position < 0.0:
            part = -before / fill.size
            ending, beginning = (
                dataclasses.replace(fill, size=-before, costs=fill.costs * part, position=0.0),
                dataclasses.replace(fill, size=fill.position, costs=fill.costs * (1.0 - part)),
            )
            closed.append(_trade(recording, [*own, ending]))
            running[fill.asset] = [beginning]
        else:
            own.append(fill)
            if fill.position == 0.0:
                closed.append(_trade(recording, own))
                running[fill.asset] = []
    return closed + [_trade(recording, own) for own in running.values() if own]


def _trade(recording: Recording, fills: list[Fill]) -> Trade:
    first, last = fills[0], fills[-1]
    left, asset = last.position, first.asset
    close = float(recording.ohlc[-1, asset, 3])
    opened = [fill for fill in fills if fill.size * first.size > 0.0]
    parts = [(fill.size, fill.price) for fill in fills if fill.size * first.size < 0.0]
    if left:
        parts.append((-left, close))
    costs = sum(fill.costs for fill in fills)
    gained = -sum(fill.size * fill.price for fill in opened) - sum(size * price for size, price in parts)
    return Trade(
        asset=asset,
        long=first.size > 0.0,
        entry_bar=first.bar,
        exit_bar=len(recording.ohlc) - 1 if left else last.bar,
        size=max(abs(fill.position) for fill in fills) if len(fills) > 1 else abs(first.size),
        entry_price=_mean_price([(fill.size, fill.price) for fill in opened]),
        exit_price=_mean_price(parts),
        profit=gained - costs,
        costs=costs,
        open=bool(left),
    )


def _mean_price(parts: list[tuple[float, float]]) -> float:
    if len(parts) == 1:
        return parts[0][1]  # not touched by rounding
    return sum(size * price for size, price in parts) / sum(size for size, _ in parts)
