"""What recorded episodes come to: fills, trades, statistics, and the report on a run."""

from vecbt.analysis.metrics import Statistics, measure
from vecbt.analysis.report import write_report
from vecbt.analysis.trades import Fill, Trade, fills_of, trades_of

__all__ = ["Fill", "Statistics", "Trade", "fills_of", "measure", "trades_of", "write_report"]
