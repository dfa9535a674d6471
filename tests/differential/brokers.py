"""One table of broker settings: what stock Backtrader is told, and what vecbt is told."""

from __future__ import annotations

import dataclasses
from typing import Any

import backtrader as bt

from vecbt.config import Commission, Slippage


@dataclasses.dataclass(frozen=True)
class Setting:
    """A broker setting in both languages.

    Attributes:
        name: For test ids.
        config: Fields of `vecbt.EnvConfig`.
    """

    name: str
    config: dict[str, Any]

    def apply(self, broker: Any) -> None:
        """Tell a stock broker, in Backtrader's own words."""
        config = self.config
        broker.setcash(config.get("start_cash", 10_000.0))
        broker.set_shortcash(config.get("shortcash", True))
        broker.set_checksubmit(config.get("checksubmit", True))
        broker.set_coc(config.get("cheat_on_close", False))
        commission, leverage = config.get("commission", 0.0), config.get("leverage", 1.0)
        if isinstance(commission, Commission):
            broker.setcommission(
                commission=commission.rate,
                margin=commission.margin,
                mult=commission.mult,
                commtype=bt.CommInfoBase.COMM_FIXED if commission.per_unit else bt.CommInfoBase.COMM_PERC,
                stocklike=commission.margin is None,
                leverage=leverage,
            )
        else:
            broker.setcommission(commission=commission, leverage=leverage)
        slippage = config.get("slippage", 0.0)
        if isinstance(slippage, Slippage):
            options = {
                "slip_open": slippage.open,
                "slip_limit": slippage.limit,
                "slip_match": slippage.match,
                "slip_out": slippage.out,
            }
            if slippage.perc:
                broker.set_slippage_perc(slippage.perc, **options)
            else:
                broker.set_slippage_fixed(slippage.fixed, **options)
        elif slippage:
            broker.set_slippage_perc(slippage)


SETTINGS = (
    Setting("plain", {}),
    Setting("percent commission", {"commission": 0.002}),
    Setting("fixed commission", {"commission": Commission(rate=0.7, per_unit=True)}),
    Setting("little cash", {"start_cash": 900.0, "commission": 0.001}),
    Setting("leverage", {"leverage": 4.0, "commission": 0.0005}),
    Setting("no short cash", {"shortcash": False, "commission": 0.001}),
    Setting("no submit check", {"checksubmit": False, "commission": 0.001, "start_cash": 3_000.0}),
    Setting("cheat on close", {"cheat_on_close": True, "commission": 0.001}),
    Setting("percent slippage", {"slippage": 0.003, "commission": 0.001}),
    Setting("fixed slippage", {"slippage": Slippage(fixed=0.4)}),
    Setting("slippage off the open", {"slippage": Slippage(perc=0.004, open=False)}),
    Setting("slippage without match", {"slippage": Slippage(perc=0.006, match=False)}),
    Setting("slippage without match or limit", {"slippage": Slippage(perc=0.006, match=False, limit=False)}),
    Setting("slippage out of the bar", {"slippage": Slippage(perc=0.02, out=True), "cheat_on_close": True}),
    Setting("futures", {"commission": Commission(rate=1.5, per_unit=True, margin=60.0, mult=5.0)}),
    Setting(
        "futures in percent, short of cash",
        {"commission": Commission(rate=0.001, margin=80.0, mult=2.0), "start_cash": 2_000.0, "shortcash": False},
    ),
    Setting(
        "futures with leverage",
        {"commission": Commission(rate=0.5, per_unit=True, margin=50.0, mult=10.0), "leverage": 3.0},
    ),
)
