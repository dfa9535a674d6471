"""The folder of a run.

```text
RUN/
  run.json                 settings, seeds, versions, the data and their fingerprint, folds, the list of episodes
  episodes/0017.npz        recorded episodes
  folds/0/progress.csv     learning curves of a fold, one row per update of the policy
  folds/0/model.zip        its policy: the best one on the validation rows
  folds/0/checkpoints/     what training goes on from
  folds/0/tensorboard/     the curves once more, for TensorBoard
  report.html
```
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from vecbt.arrays import FloatArray
from vecbt.errors import ConfigError, DataFileError
from vecbt.runs.recording import Recording

__all__ = ["Run"]

_MANIFEST = "run.json"
_FORMAT = 1


class Run:
    """A run's folder.

    Args:
        path: The folder.
        facts: What ``run.json`` says, without the episodes:

            ``settings``: the run's settings by name, as `vecbt.training.TrainSettings` has them; ``env``: the keyword
            arguments of `vecbt.make_vec`; ``data``: ``name``, ``source``, ``fingerprint``, ``bars``, ``first_time``,
            ``last_time``; ``versions``; ``folds``: for each its rows, ``train``, ``validation`` and ``test`` (first
            row, and the one after the last), ``steps`` trained and ``seconds``; ``state``: ``"training"``,
            ``"interrupted"`` or ``"finished"``.
        episodes: Facts of the recorded episodes, in their order.

    Attributes:
        path: The folder.
        facts: See above; changed in place, written by `save`.
        episodes: See above.
    """

    def __init__(self, path: Path, facts: dict[str, Any], episodes: list[dict[str, Any]] | None = None) -> None:
        self.path = path
        self.facts = facts
        self.episodes = [] if episodes is None else episodes

    @classmethod
    def create(cls, path: Path, facts: dict[str, Any]) -> Run:
        """Make the folder of a new run.

        Raises:
            ConfigError: If there is one already.
        """
        if (path / _MANIFEST).exists():
            raise ConfigError(f"{path} holds a run: choose another folder, or resume that one")
        run = cls(path, facts)
        run.save()
        return run

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Run:
        """Open the folder of a run.

        Raises:
            DataFileError: If it is none, or cannot be read.
        """
        path = Path(path)
        source = str(path / _MANIFEST)
        try:
            held = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
            if held["format"] != _FORMAT:
                raise DataFileError(f"the run is of format {held['format']}, expected {_FORMAT}", source=source)
            return cls(path, held["facts"], held["episodes"])
        except FileNotFoundError:
            raise DataFileError("this is no folder of a run, which `vecbt train` makes", source=source) from None
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, DataFileError):
                raise
            raise DataFileError(f"the run cannot be read: {error!r}", source=source) from error

    def save(self) -> None:
        """Write ``run.json``, in one piece whatever happens meanwhile."""
        self.path.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": _FORMAT, "facts": self.facts, "episodes": self.episodes}, indent=1)
        beside = self.path / f"{_MANIFEST}.{os.getpid()}"
        beside.write_text(text + "\n", encoding="utf-8")
        beside.replace(self.path / _MANIFEST)

    def add(self, recording: Recording) -> int:
        """Keep a recording; returns its number. `save` is for the caller to call."""
        number = len(self.episodes)
        recording.save(self.recording_path(number))
        self.episodes.append(
            {
                "agent": recording.agent,
                "fold": recording.fold,
                "sample_type": recording.identity.sample_type,
                "steps": len(recording.rewards),
                "total_return": recording.stats["total_return"],
            }
        )
        return number

    def recording(self, number: int) -> Recording:
        """A recorded episode.

        Raises:
            ConfigError: If there is none of that number.
            DataFileError: If its file is missing or broken.
        """
        if not 0 <= number < len(self.episodes):
            raise ConfigError(f"the run has episodes 0 to {len(self.episodes) - 1}, got {number}: {self.path}")
        return Recording.load(self.recording_path(number))

    def recording_path(self, number: int) -> Path:
        """Where a recording is kept."""
        return self.path / "episodes" / f"{number:04}.npz"

    def fold_path(self, fold: int) -> Path:
        """The folder of a fold."""
        return self.path / "folds" / str(fold)

    def curves(self, fold: int) -> dict[str, FloatArray]:
        """Learning curves of a fold by name, float64 (U,), one number per update; NaN where there was none.

        ``time/total_timesteps`` counts the steps. Empty where nothing has been logged.
        """
        path = self.fold_path(fold) / "progress.csv"
        if not path.exists():
            return {}
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        names = rows[0].keys() if rows else ()
        return {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}
