"""Which configurations the compiled broker reproduces; for all others there is Backtrader itself."""

from __future__ import annotations

from vecbt.config import EnvConfig

__all__ = ["outside_subset"]


def outside_subset(config: EnvConfig) -> list[str]:
    """What of a configuration only the Cerebro engine can do, each with the way to mend it; empty if nothing is."""
    reasons = []
    if config.strategy is not None:
        reasons.append("strategy is Python code that runs in Backtrader: leave it out")
    if config.cerebro is not None:
        reasons.append("cerebro makes a Backtrader of your own: leave it out and set the broker by fields")
    if config.order_size is None:
        reasons.append("order_size=None asks a sizer of Backtrader's: give a size")
    if not config.fast:
        reasons.append("fast=False asks for Backtrader's stock classes: leave it True")
    return reasons
