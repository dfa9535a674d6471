"""The bars of a run, and which of them are for training, validation and test."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from vecbt.data.align import align_bars
from vecbt.data.aligned import AlignedBars
from vecbt.data.bars import Bars
from vecbt.data.domain import CausalDomain, SampleRules
from vecbt.data.reading.read import read_bars
from vecbt.data.synthetic import synthetic_market
from vecbt.errors import ConfigError, TooFewBarsError
from vecbt.training.settings import ENV_DEFAULTS, TrainSettings

__all__ = ["Fold", "Market", "open_market"]

_LEAST = 10
"""The fewest bars of a test part that say anything."""


@dataclasses.dataclass(frozen=True)
class Fold:
    """Rows of a fold, each from the first to the one after the last.

    Attributes:
        number: Number of the fold.
        train: Rows to train on.
        validation: Rows behind them, by which the best policy is chosen and training ended.
        test: Rows behind these, for the one test.
    """

    number: int
    train: tuple[int, int]
    validation: tuple[int, int]
    test: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Market:
    """Data, and how they are divided.

    The bars up to the first test bar are the first fold's for training, but for as many at their end as a test part
    has, which are for validation. When a fold has been tested, global time stands at the end of its test bars, and
    the next fold trains on all that is known by then: windows as long as the first fold's history, drawn among all
    that have ended. Validation is always on the last bars before now, and training never sees them.

    Attributes:
        bars: The data.
        domain: Source trials for training and validation, target trials for test; it keeps global time.
        folds: The folds.
        env: Keyword arguments of `vecbt.make_vec` for these data, but for the engine's.
    """

    bars: Bars | AlignedBars
    domain: CausalDomain
    folds: tuple[Fold, ...]
    env: dict[str, Any]

    @property
    def history(self) -> int:
        """Rows of a source trial: those before the first test row."""
        return self.folds[0].test[0]

    def source_trial(self, fold: Fold) -> int:
        """Number of the latest source trial of a fold, which is the number of its first row: no rule leaves one out."""
        return fold.test[0] - self.history


def open_market(settings: TrainSettings) -> Market:
    """Read a run's data and divide them.

    Raises:
        DataError: If a file cannot be used.
        TooFewBarsError: If there are too few bars for so many folds.
        ConfigError: If the environment's settings are invalid.
    """
    bars = _read(settings)
    count = len(bars)
    part = int(count * settings.test_share) // settings.walk_forward
    history = count - part * settings.walk_forward
    if part < _LEAST or history < 3 * part // 2:
        raise TooFewBarsError(
            f"{count} bars, of which {settings.test_share:.0%} are for test in {settings.walk_forward} parts, leave "
            f"{history - part} to train on and {part} for each test: use more data, fewer folds or another share",
            source=bars.name,
        )
    domain = CausalDomain(bars, trial=SampleRules(duration=history, test_period=part), expanding=True)
    cuts = [history + part * number for number in range(settings.walk_forward)]
    folds = tuple(
        Fold(number, (0, cut - part), (cut - part, cut), (cut, cut + part)) for number, cut in enumerate(cuts)
    )
    return Market(bars, domain, folds, _env(settings, bars))


def _read(settings: TrainSettings) -> Bars | AlignedBars:
    if not settings.data:
        return synthetic_market(50_000, seed=settings.seed)
    if len(settings.data) == 1:
        return read_bars(settings.data[0])
    assets: dict[str, Bars] = {}
    for path in settings.data:
        bars = read_bars(path)
        name = re.sub(r"\W|^(?=\d)", "_", bars.name)
        assets[name if name not in assets else f"{name}_{len(assets) + 1}"] = bars
    return align_bars(assets)


def _env(settings: TrainSettings, bars: Bars | AlignedBars) -> dict[str, Any]:
    several = list(bars.by_asset.values()) if isinstance(bars, AlignedBars) else [bars]
    # Cash for whatever a unit costs; by the first bar alone, since later ones are not known at the beginning.
    first = max(float(own.close[0]) for own in several)
    found: dict[str, Any] = {
        **ENV_DEFAULTS,
        "start_cash": max(10_000.0, 100.0 * len(several) * first),
        # Half of the cash: with sizes of whole accounts a market that has risen would be too dear for any order.
        "order_size": f"{50.0 / len(several):g}%",
        "gamma": settings.gamma,
        **settings.env,
    }
    for name in ("features", "account_features", "positions"):
        if isinstance(found.get(name), list):
            found[name] = tuple(found[name])
    if settings.strategy is not None:
        found["strategy"] = _load(settings.strategy)
    return found


def _load(spec: str) -> type:
    """The class that ``package.module:Class`` or ``file.py:Class`` names."""
    place, _, name = spec.rpartition(":")
    try:
        module = _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
        found: type = getattr(module, name)
    except (ImportError, OSError, AttributeError) as error:
        raise ConfigError(f"strategy {spec!r} cannot be loaded: {error}") from error
    return found


def _from_file(path: Path) -> Any:
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that its classes can be pickled by name
    spec.loader.exec_module(module)
    return module
