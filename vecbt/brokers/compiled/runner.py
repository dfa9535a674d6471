"""Brings a batch forward with the compiled broker, in the calling process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vecbt.arrays import AnyArray, IntArray
from vecbt.brokers.compiled.book import Book
from vecbt.brokers.compiled.crew import Crew, thread_count
from vecbt.brokers.compiled.loops import Work
from vecbt.brokers.compiled.outputs import OutputPool, OutputSet
from vecbt.kernels.aligned import aligned_zeros
from vecbt.kernels.own_reward import OwnReward
from vecbt.plan import Plan

__all__ = ["CompiledRunner"]

_RESET, _STEP, _RUN, _PUBLISH = map(int, Work)  # plain numbers: numba takes 12 us to recognize a member
# Observations apart from all else: they are large, and who keeps a history of values does not want them kept too.
_GROUPS = (
    ("market", "account"),
    ("rewards", "terminations", "truncations", "info_floats", "info_ints", "order_status"),
)


class CompiledRunner:
    """See `vecbt.batch.Runner`.

    Args:
        plan: What the environments are.
        num_envs: How many.
        threads: The most threads; None for as many as pay.

    Attributes:
        arrays: The batch's arrays but its outputs.
        fresh: Whether they are the caller's.
    """

    pids: tuple[int, ...] = ()

    def __init__(self, plan: Plan, num_envs: int, threads: int | None) -> None:
        specs = plan.specs(num_envs)
        outputs = {name: specs.pop(name) for group in _GROUPS for name in group}
        self.arrays: dict[str, AnyArray] = {name: aligned_zeros(*spec) for name, spec in specs.items()}
        self.fresh = plan.config.copy and num_envs > 1  # a single observation is quicker copied than looked after
        others = {**self.arrays, **plan.table.arrays, **plan.constants}
        self._pool = OutputPool(outputs, _GROUPS, others, reuse=self.fresh)
        self._book = Book(plan.config, num_envs, plan.table.bars.assets, plan.assets * (plan.config.skip_frame + 1))
        self._own_reward = None if plan.own_reward is None else OwnReward(plan.own_reward)
        self._num_envs = num_envs
        self._crew = Crew(num_envs, thread_count(num_envs, threads), plan.assets)

    @property
    def outputs(self) -> Mapping[str, AnyArray]:
        """The output arrays of the last call."""
        return self._pool.arrays

    @property
    def sets(self) -> Sequence[OutputSet]:
        """The sets of outputs of the last call: of observations, and of everything else."""
        return self._pool.sets

    def reset(self) -> None:
        """Begin episodes in the environments of the mask; all others keep what they have shown."""
        before = self._pool.arrays
        self._pool.take()
        if self.fresh and not self.arrays["mask"].all():
            for name, array in self._pool.arrays.items():
                np.copyto(array, before[name])
        self._crew.work(_RESET, self._pool.address, self._book.address)

    def step(self) -> None:
        """Step every environment."""
        pool, book = self._pool, self._book
        pool.take()
        if self._own_reward is None:
            longest = self._crew.work(_STEP, pool.address, book.address)
        else:
            self._crew.work(_RUN, pool.address, book.address)
            self._own_reward.write(pool.address, pool.arrays["rewards"], 0, self._num_envs)
            longest = self._crew.work(_PUBLISH, pool.address, book.address)
        book.make_room(longest)

    def take_restarted(self) -> None:
        """There are no workers."""

    def outcomes(self, env: int | None) -> Sequence[None]:
        """There is no clock in the loop, and no analyzer."""
        return [None] * (self._num_envs if env is None else 1)

    def conclude(self, envs: IntArray) -> None:
        """Nothing is left of an episode."""

    def settle(self) -> None:
        """Nothing to wait for: a call that has begun is not interrupted."""

    def close(self) -> None:
        """End the threads."""
        self._crew.close()
