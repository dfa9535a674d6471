from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from vecbt.kernels.layout import OrderStatus
from vecbt.render.canvas import pixels
from vecbt.render.episode import draw_episode
from vecbt.render.market import BUY, REFUSED, SELL, MarketView, draw_market
from vecbt.render.observation import draw_parts, parts_of
from vecbt.render.record import Column, EpisodeRecord

BARS = 40
FIRST = 100  # row of the first bar


def view_of(assets: int) -> MarketView:
    random = np.random.default_rng(0)
    closes = 100.0 + random.normal(0.0, 1.0, (BARS, assets)).cumsum(0)
    opens = np.vstack([closes[:1], closes[:-1]])
    ohlc = np.stack([opens, np.maximum(opens, closes) + 0.5, np.minimum(opens, closes) - 0.5, closes], axis=-1)
    stamps = np.datetime64("2024-01-01", "ns").astype(np.int64) + np.arange(BARS) * 60_000_000_000
    return MarketView(tuple(f"ASSET{number}" for number in range(assets)), FIRST, ohlc, stamps)


def record_of(view: MarketView, begin: int, positions: Any, statuses: Any = 0) -> EpisodeRecord:
    """An episode that begins on a bar of the view and goes to its end."""
    assets, length = len(view.assets), BARS - begin
    columns = np.zeros((length, Column.ASSETS + 4 * assets))
    columns[:, Column.ROW] = np.arange(FIRST + begin, FIRST + BARS)
    columns[:, Column.VALUE] = 1000.0 + np.arange(length)
    own = columns[:, Column.ASSETS :]
    own[:, :assets] = positions
    own[:, assets : 2 * assets] = view.ohlc[begin:, :, 3]
    own[:, 2 * assets : 3 * assets] = statuses
    return EpisodeRecord(3, 5, columns, assets)


def is_at(color: str, figure: Any, axes: Any, x: float, y: float) -> bool:
    """Whether the picture has a color at a place of the data; a line below a marker may shine through at its seams."""
    return all(abs(a - b) < 16 for a, b in zip(color_at(figure, axes, x, y), shade(color), strict=True))


def color_at(figure: Any, axes: Any, x: float, y: float) -> list[int]:
    picture = pixels(figure)
    column, row = axes.transData.transform((x, y))
    return picture[len(picture) - 1 - int(row), int(column)].tolist()  # type: ignore[no-any-return]


def shade(color: str) -> list[int]:
    return [round(255 * part) for part in to_rgb(color)]


def count_of(figure: Any, color: str) -> int:
    return int((pixels(figure) == shade(color)).all(-1).sum())


# -- the last bars -----------------------------------------------------------------------------------------------------


def test_fills_are_marked_on_their_bars() -> None:
    view = view_of(1)
    positions = np.zeros((30, 1))
    positions[5:12] = 4.0
    positions[20:] = -3.0
    record = record_of(view, 10, positions)
    figure = draw_market(view, record, [])
    axes = figure.axes[0]
    lows, highs = view.ohlc[:, 0, 2], view.ohlc[:, 0, 1]
    pad = 0.04 * (highs.max() - lows.min())
    assert is_at(BUY, figure, axes, 15, lows[15] - pad)
    assert is_at(SELL, figure, axes, 22, highs[22] + pad)
    assert is_at(SELL, figure, axes, 30, highs[30] + pad)
    for bar in (13, 14, 16, 17, 29):  # its neighbors have none
        assert color_at(figure, axes, bar, lows[bar] - pad) == [255, 255, 255]
    without = draw_market(view, record_of(view, 10, np.zeros((30, 1))), [])
    assert count_of(without, SELL) == 0
    assert count_of(figure, SELL) > 2 * 10


@pytest.mark.parametrize("status", [OrderStatus.MARGIN, OrderStatus.REFUSED, OrderStatus.CANCELED])
def test_orders_that_came_to_nothing(status: OrderStatus) -> None:
    view, statuses = view_of(1), np.zeros((30, 1))
    statuses[7] = status
    figure = draw_market(view, record_of(view, 10, 0.0, statuses), [])
    highs, lows = view.ohlc[:, 0, 1], view.ohlc[:, 0, 2]
    pad = 0.08 * (highs.max() - lows.min())
    assert is_at(REFUSED, figure, figure.axes[0], 17, highs[17] + pad)
    statuses[7] = OrderStatus.COMPLETED
    other = draw_market(view, record_of(view, 10, 0.0, statuses), [])
    assert color_at(other, other.axes[0], 17, highs[17] + pad) == [255, 255, 255]


def test_steps_before_the_first_bar_are_left_out() -> None:
    view = view_of(1)
    record = record_of(view, 0, np.linspace(0.0, 8.0, BARS)[:, None])
    later = MarketView(view.assets, FIRST + 10, view.ohlc[10:], view.stamps[10:])
    figure = draw_market(later, record, [])
    assert figure.axes[0].get_xlim() == (-0.5, 29.5)
    assert len(figure.axes[0].collections[3].get_offsets()) == 30  # type: ignore[arg-type]


@pytest.mark.parametrize("assets", [1, 2, 5])
def test_every_asset_has_a_panel(assets: int) -> None:
    view = view_of(assets)
    positions = np.zeros((30, assets))
    positions[4:, -1] = 7.0
    figure = draw_market(view, record_of(view, 10, positions), ["some", "text"])
    panels = figure.axes[:assets]
    assert [axes.get_title(loc="left") for axes in panels] == list(view.assets)
    lows, highs = view.ohlc[:, -1, 2], view.ohlc[:, -1, 1]
    pad = 0.04 * (highs.max() - lows.min())
    assert is_at(BUY, figure, panels[-1], 14, lows[14] - pad)
    assert all(not axes.collections[3:] for axes in panels[:-1])
    plain = draw_market(view, record_of(view, 10, positions), [])
    assert (pixels(plain) != pixels(figure)).any(-1).any(0).nonzero()[0].min() > 600  # the text is on the right


def test_bars_without_any_movement() -> None:
    view = MarketView(("FLAT",), 0, np.full((1, 1, 4), 5.0), np.zeros(1, np.int64))
    columns = np.zeros((1, Column.ASSETS + 4))
    columns[0, Column.ASSETS] = 1.0
    assert pixels(draw_market(view, EpisodeRecord(0, 0, columns, 1), [])).std() > 0.0


# -- an episode --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assets", [1, 3])
def test_an_episode(assets: int) -> None:
    view = view_of(assets)
    positions = np.zeros((BARS, assets))
    positions[8:20, 0] = 2.0
    record = record_of(view, 0, positions)
    figure = draw_episode(record, view.assets, 1000.0)
    assert len(figure.axes) == assets + 2
    closes = view.ohlc[:, 0, 3]
    assert is_at(BUY, figure, figure.axes[0], 8, closes[8])
    assert is_at(SELL, figure, figure.axes[0], 20, closes[20])
    assert count_of(draw_episode(record_of(view, 0, 0.0), view.assets, 1000.0), SELL) == 0
    title = figure.get_suptitle()
    assert title == "episode 3: 39 steps, return +3.90%, largest drawdown 0.00 %, 2 fills, costs 0.00"


def test_an_episode_whose_last_price_is_gone() -> None:
    view, positions = view_of(1), np.zeros((BARS, 1))
    positions[-1] = 1.0
    record = record_of(view, 0, positions)
    record.closes[-1] = np.nan
    figure = draw_episode(record, view.assets, 1000.0)
    assert count_of(figure, BUY) > 0  # the equity
    assert figure.axes[0].get_xlim() == (-0.5, 39.5)


def test_an_episode_of_steps_of_several_bars() -> None:
    view = view_of(1)
    record = record_of(view, 0, 0.0)
    every = EpisodeRecord(0, 0, record.columns[::3], 1)
    assert draw_episode(every, view.assets, 1000.0).axes[0].get_xlim() == (-0.5, 39.5)


# -- observations ------------------------------------------------------------------------------------------------------


def test_parts_of_observations() -> None:
    array, number = np.zeros((2, 3)), np.float32(3.0)
    parts = parts_of({"a": array, "b": {"c": number, "d": {"e": array}}})
    assert list(parts) == ["a", "b/c", "b/d/e"]
    assert parts["a"] is array
    assert parts["b/c"].shape == ()
    assert list(parts_of(array, "whole")) == ["whole"]
    assert list(parts_of({"a": array}, "whole")) == ["whole/a"]


@pytest.mark.parametrize(
    ("shape", "panels"), [((), 1), ((4,), 1), ((40,), 1), ((30, 4), 4), ((30, 9), 1), ((5, 2, 3), 1), ((2, 2, 2, 2), 1)]
)
@pytest.mark.parametrize("dtype", ["float32", "bool"])
def test_arrays_of_any_rank(shape: tuple[int, ...], panels: int, dtype: str) -> None:
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    figure = draw_parts({"part": array}, {})
    assert len(figure.axes) == panels
    other = draw_parts({"part": (1 - array.astype(np.int64)).astype(dtype)}, {})
    assert pixels(figure).shape == pixels(other).shape
    assert (pixels(figure) != pixels(other)).any()


def test_names_of_columns() -> None:
    figure = draw_parts(
        {"market": np.zeros((9, 2)), "account": np.zeros(2)}, {"market": ("x", "y"), "account": ("p", "q")}
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["market: x", "market: y", "account"]
    assert [text.get_text() for text in figure.axes[2].get_xticklabels()] == ["p", "q"]
    names = [f"name {number}" for number in range(8)]
    (image,) = draw_parts({"market": np.zeros((9, 8))}, {"market": names}).axes
    assert [text.get_text() for text in image.get_yticklabels()] == names


def test_extremes() -> None:
    limit = float(np.finfo(np.float32).max)
    for array in (np.array([limit, -limit]), np.full((9, 8), limit), np.zeros((4, 0)), np.zeros(0)):
        assert pixels(draw_parts({"part": array}, {})).dtype == np.uint8
