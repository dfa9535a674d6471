"""One table of broker settings: what stock Backtrader is told, and what vecbt is told."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import backtrader as bt

from tests.differential.choices import Choices
from vecbt.config import Commission, Slippage


class LotScheme(bt.CommInfoBase):
    """Backtrader's own scheme, but for targets that are sized in multiples of a lot."""

    params = (("lot", 1.0),)

    def getsize(self, price: float, cash: float) -> float:
        unit = price if self._stocklike else self.p.margin
        return math.floor(self.p.leverage * cash / unit / self.p.lot) * self.p.lot


@dataclasses.dataclass(frozen=True)
class Setting:
    """A broker setting in both languages.

    Attributes:
        name: For test ids.
        config: Fields of `vecbt.EnvConfig`.
    """

    name: str
    config: dict[str, Any]

    def apply(self, broker: Any, assets: Sequence[str] = ()) -> None:
        """Tell a stock broker, in Backtrader's own words; the feeds' names are for commissions of their own."""
        config = self.config
        broker.setcash(config.get("start_cash", 10_000.0))
        broker.set_shortcash(config.get("shortcash", True))
        broker.set_checksubmit(config.get("checksubmit", True))
        broker.set_coc(config.get("cheat_on_close", False))
        commission = self.config.get("commission", 0.0)
        if isinstance(commission, tuple):
            for name, own in zip(assets, commission, strict=True):
                self._set_commission(broker, own, name)
        else:
            self._set_commission(broker, commission, None)
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

    def _set_commission(self, broker: Any, commission: float | Commission, name: str | None) -> None:
        leverage = self.config.get("leverage", 1.0)
        lot = self.config.get("lot", 1.0)
        if not isinstance(commission, Commission):
            if lot == 1.0:
                broker.setcommission(commission=commission, leverage=leverage, name=name)
                return
            commission = Commission(rate=commission)
        scheme = {
            "commission": commission.rate,
            "margin": commission.margin,
            "mult": commission.mult,
            "commtype": bt.CommInfoBase.COMM_FIXED if commission.per_unit else bt.CommInfoBase.COMM_PERC,
            "stocklike": commission.margin is None,
            "leverage": leverage,
        }
        if lot == 1.0:
            broker.setcommission(**scheme, name=name)
        else:
            broker.addcommissioninfo(LotScheme(lot=lot, percabs=True, **scheme), name=name)

    @property
    def traits(self) -> set[str]:
        """What is not as Backtrader has it by default, for a count of what has been covered."""
        config = self.config
        traits = {name for name in ("cheat_on_close",) if config.get(name, False)}
        traits |= {f"no {name}" for name in ("shortcash", "checksubmit") if not config.get(name, True)}
        traits |= {name for name in ("leverage", "lot") if config.get(name, 1.0) != 1.0}
        commissions = config.get("commission", 0.0)
        if isinstance(commissions, tuple):
            traits.add("commissions of their own")
        for commission in commissions if isinstance(commissions, tuple) else (commissions,):
            if isinstance(commission, Commission):
                kind = "stock" if commission.margin is None else "futures"
                traits.add(f"{kind}, {'per unit' if commission.per_unit else 'percent'}")
                if commission.mult != 1.0:
                    traits.add("multiplier")
            elif commission:
                traits.add("percent commission")
        slippage = config.get("slippage", 0.0)
        if isinstance(slippage, Slippage):
            traits.add("percent slippage" if slippage.perc else "fixed slippage")
            traits |= {f"slippage, no {name}" for name in ("open", "match", "limit") if not getattr(slippage, name)}
            if slippage.out:
                traits.add("slippage, out")
        elif slippage:
            traits.add("percent slippage")
        return traits or {"defaults"}


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
    Setting(
        "futures without a submit check, little cash",
        {
            "commission": Commission(rate=0.002, margin=70.0, mult=3.0),
            "checksubmit": False,
            "start_cash": 1_500.0,
            "slippage": 0.002,
        },
    ),
    Setting(
        "leverage and little cash, no short cash, slippage",
        {"leverage": 3.0, "start_cash": 700.0, "shortcash": False, "commission": 0.002, "slippage": 0.001},
    ),
    Setting(
        "no submit check, no short cash, cheat on close",
        {"checksubmit": False, "shortcash": False, "cheat_on_close": True, "commission": 0.003, "start_cash": 2_500.0},
    ),
    Setting(
        "cheat on close, slippage without match",
        {"cheat_on_close": True, "slippage": Slippage(fixed=0.5, match=False, limit=False), "commission": 0.001},
    ),
    Setting(
        "futures, fixed slippage out of the bar",
        {
            "commission": Commission(rate=0.3, per_unit=True, margin=30.0, mult=2.0),
            "slippage": Slippage(fixed=0.8, out=True),
            "cheat_on_close": True,
        },
    ),
)


def draw_setting(choices: Choices, price: float, assets: int = 1) -> Setting:
    """A random combination of broker settings for a market around ``price``; cash comes with the sizes of orders."""
    config: dict[str, Any] = {}
    for name, default in (("shortcash", True), ("checksubmit", True), ("cheat_on_close", False)):
        if choices.one((False, False, True)):
            config[name] = not default
    config["commission"] = _draw_commission(choices, price)
    if assets > 1 and choices.one((False, True)):
        config["commission"] = (config["commission"], *(_draw_commission(choices, price) for _ in range(assets - 1)))
    if choices.one((False, False, True)):
        config["leverage"] = choices.one((2.0, 10.0, 1.5, 25.0, 4.0, 0.7))
    if choices.one((False, True)):
        config["slippage"] = _draw_slippage(choices, price)
    return Setting("drawn", config)


def _draw_commission(choices: Choices, price: float) -> float | Commission:
    rate = choices.one((0.0, 0.001, choices.number(0.0, 0.004), choices.number(0.0, 0.03)))
    kind = choices.one(("number", "number", "per unit", "futures", "futures per unit", "stock"))
    mult = choices.one((1.0, 1.0, 2.0, 5.0, 0.3))
    margin = choices.number(0.08, 1.2) * price
    match kind:
        case "number":
            return rate
        case "per unit":
            return Commission(rate=rate * price, per_unit=True)
        case "futures":
            return Commission(rate=rate, margin=margin, mult=mult)
        case "futures per unit":
            return Commission(rate=rate * price, per_unit=True, margin=margin, mult=mult)
    return Commission(rate=rate, mult=mult)


def _draw_slippage(choices: Choices, price: float) -> float | Slippage:
    perc = choices.one((0.001, choices.number(0.0001, 0.004), choices.number(0.0001, 0.03)))
    kind = choices.one(("number", "perc", "fixed"))
    options = {
        "open": choices.one((True, True, False)),
        "match": choices.one((True, False)),
        "limit": choices.one((True, False)),
        "out": choices.one((False, True)),
    }
    if kind == "number":
        return perc
    return Slippage(perc=perc, **options) if kind == "perc" else Slippage(fixed=perc * price, **options)
