"""Draws the environments of a batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from vecbt.batch import Batch
from vecbt.errors import EpisodeError, UnknownNameError
from vecbt.kernels.layout import ActionKind, OrderStatus, Setting
from vecbt.render.canvas import pixels
from vecbt.render.episode import draw_episode
from vecbt.render.market import MarketView, draw_market
from vecbt.render.observation import draw_parts, parts_of
from vecbt.render.record import Column, EpisodeRecord, Recorder

__all__ = ["Renderer"]

_FEWEST_BARS, _MOST_BARS = 60, 120
_BASE_ACTIONS = ("hold", "buy", "sell", "close")
_WHOLE = "observation"


class Renderer:
    """Pictures of a batch's environments; from now on the batch keeps the records that they need.

    Args:
        batch: The environments.

    Attributes:
        modes: What can be drawn: ``"human"``, ``"episode"``, ``"observation"``, and every key of observations that
            are dictionaries, with ``/`` between the keys of those within.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch, self._plan = batch, batch.plan
        bars = self._plan.table.bars
        self._assets, self._arrays = bars.assets, bars.arena.arrays
        batch.recorder = self._recorder = Recorder(batch.num_envs, len(bars.assets), self._arrays["ohlc"])
        self.modes = ("human", "episode", *dict.fromkeys((_WHOLE, *_paths(self._plan.observation_space))))
        self._labels = {} if self._plan.config.flatten else self._column_names()

    def draw(self, envs: Iterable[int], mode: str) -> list[NDArray[np.uint8]]:
        """Pictures of environments, uint8 (H, W, 3) each.

        Args:
            envs: Numbers of the environments.
            mode: One of `modes`.

        Raises:
            UnknownNameError: If there is no such mode.
            EpisodeError: If there has been no reset, or, for ``"episode"``, an environment has ended none.
        """
        if mode not in self.modes:
            raise UnknownNameError.of("mode of render()", mode, self.modes)
        if not self._batch.started:
            raise EpisodeError("render() before reset(): call reset() first")
        if mode == "human":
            return [self._market(self._recorder.running(env)) for env in envs]
        if mode == "episode":
            return [self._episode(env) for env in envs]
        return self._observations(envs, mode)

    def _episode(self, env: int) -> NDArray[np.uint8]:
        record = self._recorder.last(env)
        if record is None:
            raise EpisodeError(f"environment {env} has ended no episode yet: draw 'human', or step on")
        return pixels(draw_episode(record, self._assets, self._plan.config.start_cash))

    def _market(self, record: EpisodeRecord) -> NDArray[np.uint8]:
        rows = record.rows
        count = min(max(self._plan.config.window, _FEWEST_BARS), _MOST_BARS)
        first = int(max(rows[-1] - count + 1, rows[0] - self._plan.table.trials.lookback, 0))
        shown = slice(first, int(rows[-1]) + 1)
        view = MarketView(self._assets, first, self._arrays["ohlc"][shown], self._arrays["stamps"][shown])
        return pixels(draw_market(view, record, self._info(record, int(view.stamps[-1]))))

    def _info(self, record: EpisodeRecord, stamp: int) -> list[str]:
        last, config = record.columns[-1], self._plan.config
        lines = [
            f"episode  {record.number}",
            f"trial    {record.trial}",
            f"step     {len(record.columns) - 1}",
            np.datetime_as_string(np.datetime64(stamp, "ns"), unit="s").replace("T", " "),
            "",
            f"value    {last[Column.VALUE]:,.2f}",
            f"return   {last[Column.VALUE] / config.start_cash - 1.0:+.2%}",
            f"cash     {last[Column.CASH]:,.2f}",
            f"costs    {last[Column.COSTS]:,.2f}",
            f"drawdown {last[Column.DRAWDOWN]:.2f} %",
            "",
            f"reward   {last[Column.REWARD]:+.6f}",
            f"sum      {record.columns[:, Column.REWARD].sum():+.6f}",
        ]
        for asset, name in enumerate(self._assets):
            lines += [
                "",
                name[:24],
                f" action  {self._action(record.actions[-1, asset])}",
                f" order   {OrderStatus(record.statuses[-1, asset]).name.lower()}",
                f" units   {record.positions[-1, asset]:,g}",
                f" close   {record.closes[-1, asset]:g}",
            ]
        return lines

    def _action(self, action: float) -> str:
        kind = self._plan.settings[Setting.ACTIONS]
        if np.isnan(action):
            return ""
        if kind == ActionKind.DISCRETE:
            return _BASE_ACTIONS[int(action)]
        if kind == ActionKind.TARGET_POSITION:
            return f"{self._plan.positions[int(action)]:+g} sizes"
        return f"{action:+.1%}"

    def _observations(self, envs: Iterable[int], mode: str) -> list[NDArray[np.uint8]]:
        parts = parts_of(self._batch.results.observation(), _WHOLE)
        chosen = {}
        for name, array in parts.items():
            path = name.removeprefix(f"{_WHOLE}/")
            if mode == _WHOLE or path == mode or path.startswith(f"{mode}/"):
                chosen[path] = array
        return [pixels(draw_parts({name: array[env] for name, array in chosen.items()}, self._labels)) for env in envs]

    def _column_names(self) -> dict[str, tuple[str, ...]]:
        names = {"market": self._plan.table.features.names, "account": tuple(self._plan.config.account_features)}
        if isinstance(self._plan.observation_space, spaces.Dict):
            return names
        return {_WHOLE: names["market" if self._plan.config.window else "account"]}


def _paths(space: Any, name: str = "") -> list[str]:
    """The keys of a space of dictionaries, to any depth."""
    if not isinstance(space, spaces.Dict):
        return []
    paths = []
    for key, part in space.spaces.items():
        path = f"{name}/{key}" if name else key
        paths += [path, *_paths(part, path)]
    return paths
