"""One recorded episode: who acted, where it lies in the data, and the account bar by bar."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from vecbt.arrays import AnyArray, FloatArray, IntArray
from vecbt.errors import DataFileError

__all__ = ["Identity", "Recording"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity:
    """What decides an episode: the same data, seed, environment and number give the same episode again.

    Attributes:
        fingerprint: Hash of the data set, see `vecbt.data.Bars.fingerprint`.
        seed: Seed of the environment.
        env: Index of the environment in its batch.
        num_envs: Environments of that batch.
        episode: Number of the episode since the seeding.
        trial_type: ``"source"`` or ``"target"`` trials.
        sample_type: ``"train"`` or ``"test"`` rows.
        trial: Number of the trial among those of its type.
        start: Row of the data set of the first observation.
    """

    fingerprint: str
    seed: int
    env: int
    num_envs: int
    episode: int
    trial_type: str
    sample_type: str
    trial: int
    start: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recording:
    """An episode of L steps that has ended, in an account of K assets.

    Attributes:
        identity: What decides it.
        agent: Who acted: ``"policy"``, ``"buy and hold"``, ``"flat"``, ``"random"``.
        fold: Number of the walk-forward fold; 0 where there is one period.
        engine: ``"compiled"`` or ``"cerebro"``.
        assets: Names of the K assets.
        rows: int64 (L + 1,), row of the data set of each observation, the first one's included.
        timestamps: int64 (L + 1,), UTC nanoseconds at which these bars end.
        actions: (L, ...), what each step was given, as the action space has it.
        rewards: float64 (L,).
        cash: float64 (L + 1,), in currency.
        values: float64 (L + 1,), the account's value at each close, in currency.
        costs: float64 (L + 1,), commission paid up to each bar, in currency.
        positions: float64 (L + 1, K), units held.
        position_prices: float64 (L + 1, K), average price of the position; 0 when flat.
        statuses: int8 (L + 1, K), `vecbt.kernels.layout.OrderStatus`.
        ohlc: float64 (B, K, 4): open, high, low and close of every bar from the first observation's to the last's;
            B is L + 1 where a step is one bar.
        bar_timestamps: int64 (B,), UTC nanoseconds.
        stats: The episode's statistics, as ``episode_stats`` has them.
    """

    identity: Identity
    agent: str
    fold: int
    engine: str
    assets: tuple[str, ...]
    rows: IntArray
    timestamps: IntArray
    actions: AnyArray
    rewards: FloatArray
    cash: FloatArray
    values: FloatArray
    costs: FloatArray
    positions: FloatArray
    position_prices: FloatArray
    statuses: AnyArray
    ohlc: FloatArray
    bar_timestamps: IntArray
    stats: dict[str, float]

    def save(self, path: Path) -> None:
        """Write it to a compressed ``.npz`` file, whose numbers read back equal to the bit."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        facts = {name: getattr(self, name) for name in _FACTS} | {"identity": dataclasses.asdict(self.identity)}
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, facts=np.array(json.dumps(facts)), **arrays)

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Read what `save` has written.

        Raises:
            DataFileError: If the file is missing or is no recording.
        """
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                facts: dict[str, Any] = json.loads(str(file["facts"]))
                arrays: dict[str, Any] = {name: file[name] for name in _ARRAYS}
                facts["assets"] = tuple(facts["assets"])
                return cls(**{**facts, "identity": Identity(**facts["identity"])}, **arrays)
        except FileNotFoundError:
            raise DataFileError("there is no such recording", source=str(path)) from None
        except Exception as error:  # numpy, zlib and json have many ways to say that it is something else
            raise DataFileError(f"this is no recording of an episode: {error}", source=str(path)) from error


_ARRAYS = (
    "rows",
    "timestamps",
    "actions",
    "rewards",
    "cash",
    "values",
    "costs",
    "positions",
    "position_prices",
    "statuses",
    "ohlc",
    "bar_timestamps",
)
_FACTS = ("agent", "fold", "engine", "assets", "stats")
