"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from stable_baselines3 import PPO

__all__ = ["latest_checkpoint", "replace_file", "save_checkpoint", "save_model"]

_KEPT = 2
"""Checkpoints that are kept."""


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in one piece, whatever happens meanwhile."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(path)


def save_model(model: PPO, path: Path) -> None:
    """Write a model in one piece."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    model.save(beside)
    beside.replace(path)


def save_checkpoint(model: PPO, folder: Path) -> None:
    """Keep a checkpoint, and drop those of long ago."""
    save_model(model, folder / f"{model.num_timesteps:012}.zip")
    for old in sorted(folder.glob("[0-9]*.zip"))[:-_KEPT]:
        old.unlink()


def latest_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint; None if there is none."""
    found = sorted(folder.glob("[0-9]*.zip"))
    return found[-1] if found else None
