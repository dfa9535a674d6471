"""``vecbt report``: the page on a run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from vecbt.runs.folder import Run

__all__ = ["Report"]


@dataclasses.dataclass(frozen=True)
class Report:
    """Write the report on a run of `vecbt train`: one HTML page that opens without a network."""

    folder: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""

    out: Path | None = None
    """The page; by default report.html in that folder."""

    def run(self) -> None:
        """Write it."""
        from vecbt.analysis.report import write_report

        print(f"report: {write_report(Run.load(self.folder), self.out)}")
