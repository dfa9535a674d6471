"""Bars, features, and the domains that trials and episodes are drawn from."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vecbt.data.align import align_bars
    from vecbt.data.aligned import AlignedBars
    from vecbt.data.bars import Bars
    from vecbt.data.clock import GlobalTime
    from vecbt.data.domain import CausalDomain, Domain, RandomDomain, SampleRules, SequentialDomain, WalkForward
    from vecbt.data.features import FeatureTable, compile_features
    from vecbt.data.generated.domain import GeneratedDomain
    from vecbt.data.generators import (
        BarGenerator,
        BlockBootstrap,
        GeometricBrownianMotion,
        LogUniform,
        OrnsteinUhlenbeck,
        Regime,
        RegimeSwitching,
        Sine,
        Uniform,
    )
    from vecbt.data.reading.read import read_bars
    from vecbt.data.sample import Sample
    from vecbt.data.synthetic import synthetic_market

__all__ = [
    "AlignedBars",
    "BarGenerator",
    "Bars",
    "BlockBootstrap",
    "CausalDomain",
    "Domain",
    "FeatureTable",
    "GeneratedDomain",
    "GeometricBrownianMotion",
    "GlobalTime",
    "LogUniform",
    "OrnsteinUhlenbeck",
    "RandomDomain",
    "Regime",
    "RegimeSwitching",
    "Sample",
    "SampleRules",
    "Sine",
    "Uniform",
    "align_bars",
    "SequentialDomain",
    "WalkForward",
    "compile_features",
    "read_bars",
    "synthetic_market",
]

_HOMES = {
    "AlignedBars": "aligned",
    "BarGenerator": "generators",
    "Bars": "bars",
    "BlockBootstrap": "generators",
    "CausalDomain": "domain",
    "Domain": "domain",
    "FeatureTable": "features",
    "GeneratedDomain": "generated.domain",
    "GeometricBrownianMotion": "generators",
    "GlobalTime": "clock",
    "LogUniform": "generators",
    "OrnsteinUhlenbeck": "generators",
    "RandomDomain": "domain",
    "Regime": "generators",
    "RegimeSwitching": "generators",
    "Sample": "sample",
    "SampleRules": "domain",
    "Sine": "generators",
    "Uniform": "generators",
    "align_bars": "align",
    "SequentialDomain": "domain",
    "WalkForward": "domain",
    "compile_features": "features",
    "read_bars": "reading.read",
    "synthetic_market": "synthetic",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"vecbt.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'vecbt.data' has no attribute {name!r}")
