"""A batch's arrays without an engine, for tests of single kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecbt.config import EnvConfig
from vecbt.data.store import DataStore, TableRequest
from vecbt.data.synthetic import synthetic_market
from vecbt.kernels.block import Block
from vecbt.kernels.layout import Autoreset
from vecbt.plan import Plan, make_plan

MARKET = synthetic_market(600, seed=5)


class Arrays:
    """The arrays of a batch by name, and its block."""

    def __init__(self, num_envs: int = 2, autoreset: Autoreset = Autoreset.NEXT_STEP, **settings: Any) -> None:
        config = EnvConfig.of(settings)
        request = TableRequest(
            tuple(config.features), config.normalize, config.window, 1, config.episode_steps, config.skip_frame
        )
        self.plan: Plan = make_plan(config, DataStore(MARKET).table(request), autoreset)
        self.by_name = {
            **{name: np.zeros(spec.shape, spec.dtype) for name, spec in self.plan.specs(num_envs).items()},
            **self.plan.table.arrays,
            **self.plan.constants,
        }
        self.block = Block(self.by_name)

    def __getitem__(self, name: str) -> Any:
        return self.by_name[name]
