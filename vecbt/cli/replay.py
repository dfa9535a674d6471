"""``vecbt replay``: an episode of a run once more, compared number by number."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from vecbt.cli.tables import print_table
from vecbt.runs import Run, replay
from vecbt.training import TrainSettings, open_market

__all__ = ["Replay"]

_TITLES = {
    "rows": "row of the bar",
    "timestamps": "time",
    "rewards": "reward",
    "values": "account value",
    "costs": "commission paid",
    "positions": "position",
    "position_prices": "price of the position",
    "statuses": "order status",
    "ohlc": "open, high, low, close",
    "bar_timestamps": "time of the bars",
    "stats": "statistics of the episode",
}
_ENGINES = {
    "compiled": "the compiled engine",
    "cerebro": "the Cerebro engine",
    "stock": "stock Backtrader by itself",
}


@dataclasses.dataclass(frozen=True)
class Replay:
    """Replay an episode of a run from what decides it, and compare every number with the recorded one."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""

    episode: int
    """Number of the episode, as run.json counts them."""

    engine: Literal["cerebro", "compiled", "stock"] = "cerebro"
    """What replays it; stock is Backtrader by itself, without rewards and statistics."""

    fast: bool = True
    """Cerebro engine: quicker subclasses of Backtrader's classes with the same results; not fast, the classes as they
    are."""

    plot: Path | None = None
    """Picture to draw: Backtrader's own plot of the episode on stock Backtrader."""

    def run(self) -> None:
        """Print what was compared; exits with 1 if a number differs."""
        if self.plot is not None:
            from vecbt.cli.pictures import check_picture  # matplotlib: only plots have to wait for it

            check_picture(self.plot)
        run = Run.load(self.folder)
        recording = run.recording(self.episode)
        market = open_market(TrainSettings.of(run.facts["settings"]))
        # Recorded episodes are those of the test, which go on to the end of its rows.
        settings = {**market.env, **run.facts["env"], "episode_steps": None, "fast": self.fast}
        identity = recording.identity
        print(
            f"{self.folder}, episode {self.episode}: {recording.agent}, {len(recording.rewards):,} steps from row "
            f"{identity.start:,} of {', '.join(recording.assets)}, seed {identity.seed}, recorded with the "
            f"{recording.engine} engine\n"
        )
        replayed = replay(recording, market.domain, settings, engine=self.engine, observers=self.plot is not None)
        compared, different = replayed.agreement.compared, replayed.agreement.different
        rows = [(_TITLES.get(name, name), f"{compared[name]:,}", f"{different[name]:,}") for name in compared]
        print_table((f"recorded against {_ENGINES[self.engine]}", "compared", "different"), rows)
        verdict = "equal to the last bit" if replayed.equal else "NOT the episode that was recorded"
        print(f"\n{compared.total():,} numbers compared, {different.total():,} different: {verdict}")
        if self.plot is not None:
            from vecbt.cli.pictures import draw_backtrader

            if self.engine != "stock":
                replayed = replay(recording, market.domain, settings, engine="stock", observers=True)
            draw_backtrader(self.plot, replayed.cerebro)
            print(f"plot of stock Backtrader: {self.plot}")
        if different.total():
            sys.exit(1)
