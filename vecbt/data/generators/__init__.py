"""Markets made by a formula, one path of bars for each trial."""

from __future__ import annotations

from vecbt.data.generators.bootstrap import BlockBootstrap
from vecbt.data.generators.brownian import GeometricBrownianMotion
from vecbt.data.generators.generator import BarGenerator
from vecbt.data.generators.parameters import LogUniform, Uniform
from vecbt.data.generators.regimes import Regime, RegimeSwitching
from vecbt.data.generators.reverting import OrnsteinUhlenbeck
from vecbt.data.generators.sine import Sine

__all__ = [
    "BarGenerator",
    "BlockBootstrap",
    "GeometricBrownianMotion",
    "LogUniform",
    "OrnsteinUhlenbeck",
    "Regime",
    "RegimeSwitching",
    "Sine",
    "Uniform",
]
