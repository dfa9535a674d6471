"""Bars, features, and the domains that trials and episodes are drawn from."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vecbt.data.bars import Bars
    from vecbt.data.clock import GlobalTime
    from vecbt.data.domain import Domain, RandomDomain, SampleRules
    from vecbt.data.features import FeatureTable, compile_features
    from vecbt.data.reading.read import read_bars
    from vecbt.data.sample import Sample
    from vecbt.data.synthetic import synthetic_market

__all__ = [
    "Bars",
    "Domain",
    "FeatureTable",
    "GlobalTime",
    "RandomDomain",
    "Sample",
    "SampleRules",
    "compile_features",
    "read_bars",
    "synthetic_market",
]

_HOMES = {
    "Bars": "bars",
    "Domain": "domain",
    "FeatureTable": "features",
    "GlobalTime": "clock",
    "RandomDomain": "domain",
    "Sample": "sample",
    "SampleRules": "domain",
    "compile_features": "features",
    "read_bars": "reading.read",
    "synthetic_market": "synthetic",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"vecbt.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'vecbt.data' has no attribute {name!r}")
