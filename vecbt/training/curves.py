"""Where the curves of a fold are written."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat

from vecbt.training.files import replace_file

__all__ = ["open_logger"]


class _Curves(KVWriter):
    """A CSV file with a row per update, which goes on where an interrupted run has left it.

    It is written anew with every row, since columns come as training finds something to say.
    """

    def __init__(self, path: Path, last_step: int) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            # What came after the checkpoint will come again.
            self._rows = [row for row in rows if int(row["time/total_timesteps"]) <= last_step]

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        self._rows.append({name: value for name, value in key_values.items() if isinstance(value, int | float)})
        names = sorted({name for row in self._rows for name in row})
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        replace_file(self._path, text.getvalue().encode())

    def close(self) -> None:
        pass


def open_logger(folder: Path, last_step: int = 0) -> Logger:
    """A logger that writes ``progress.csv`` and TensorBoard's files.

    Args:
        folder: The fold's.
        last_step: Steps of the checkpoint that training goes on from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    board = TensorBoardOutputFormat(str(folder / "tensorboard"))
    return Logger(str(folder), [_Curves(folder / "progress.csv", last_step), board])
