"""The report on a run: one page that needs nothing else."""

from vecbt.analysis.report.page import write_report

__all__ = ["write_report"]
