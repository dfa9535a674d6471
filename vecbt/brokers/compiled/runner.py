"""Brings a batch forward with the compiled broker, in the calling process."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vecbt.arrays import AnyArray
from vecbt.brokers.compiled.book import Book
from vecbt.brokers.compiled.crew import Crew, thread_count
from vecbt.brokers.compiled.loops import Work
from vecbt.brokers.compiled.outputs import OutputPool
from vecbt.kernels.own_reward import OwnReward
from vecbt.plan import Plan

__all__ = ["CompiledRunner"]

_RESET, _STEP, _RUN, _PUBLISH = map(int, Work)  # plain numbers: numba takes 12 us to recognize a member
_OUTPUTS = (
    "market",
    "account",
    "rewards",
    "terminations",
    "truncations",
    "info_floats",
    "info_ints",
    "order_status",
)


class CompiledRunner:
    """See `vecbt.batch.Runner`.

    Args:
        plan: What the environments are.
        num_envs: How many.
        threads: The most threads; None for as many as pay.

    Attributes:
        arrays: The batch's arrays but its outputs.
        outputs: The output arrays of the last call.
        fresh: Whether they are the caller's.
    """

    pids: tuple[int, ...] = ()

    def __init__(self, plan: Plan, num_envs: int, threads: int | None) -> None:
        specs = plan.specs(num_envs)
        outputs = {name: specs.pop(name) for name in _OUTPUTS}
        self.arrays: dict[str, AnyArray] = {name: np.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}
        self.fresh = plan.config.copy
        others = {**self.arrays, **plan.table.arrays, **plan.constants}
        self._pool = OutputPool(outputs, others, reuse=self.fresh)
        self.outputs: Mapping[str, AnyArray] = self._pool.current.arrays
        self._book = Book(plan.config, num_envs, plan.assets, plan.config.skip_frame + 1)
        self._own_reward = None if plan.own_reward is None else OwnReward(plan.own_reward)
        self._num_envs = num_envs
        self._crew = Crew(num_envs, thread_count(num_envs, threads))

    def reset(self) -> None:
        """Begin episodes in the environments of the mask; all others keep what they have shown."""
        before = self.outputs
        after = self._pool.take()
        if before is not after.arrays and not self.arrays["mask"].all():
            for name, array in after.arrays.items():
                np.copyto(array, before[name])
        self.outputs = after.arrays
        self._crew.work(_RESET, after.address, self._book.address)

    def step(self) -> None:
        """Step every environment."""
        after = self._pool.take()
        self.outputs = after.arrays
        if self._own_reward is None:
            longest = self._crew.work(_STEP, after.address, self._book.address)
        else:
            self._crew.work(_RUN, after.address, self._book.address)
            self._own_reward.write(after.address, after.arrays["rewards"], 0, self._num_envs)
            longest = self._crew.work(_PUBLISH, after.address, self._book.address)
        self._book.make_room(longest)

    def settle(self) -> None:
        """Nothing to wait for: a call that has begun is not interrupted."""

    def close(self) -> None:
        """End the threads."""
        self._crew.close()
