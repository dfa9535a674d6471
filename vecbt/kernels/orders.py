"""Which generated trial each environment needs next: orders for slots, see `vecbt.data.generated.slots`.

An environment has two slots. Its running episode reads one of them; the trial of the episode that follows is ordered
for the other, whatever brings that episode about, and its reset is told to take it.
"""

from __future__ import annotations

import numpy as np

from vecbt.arrays import AnyArray, IntArray
from vecbt.kernels._jit import kernel
from vecbt.kernels.layout import Choice, Clock, Section
from vecbt.shm.words import load, store

__all__ = ["are_made", "order_trials"]


@kernel
def order_trials(
    envs: IntArray,
    clock: IntArray,
    choices: IntArray,
    seeds: AnyArray,
    next_seeds: AnyArray,
    section: AnyArray,
    keys: AnyArray,
    ordered: IntArray,
    first_row: int,
    bars: int,
    first_trial: int,
    orders: int,
) -> int:
    """Order the trials of the coming episodes and choose them for the resets that begin these.

    Args:
        envs: int64 (n,), environments.
        clock: int64 (N, len(Clock)).
        choices: int64 (N, len(Choice)), written.
        seeds: uint64 (N, 2).
        next_seeds: uint64 (N, 2).
        section: int8 (N,), `Section`; only source trials are generated.
        keys: uint64 (2 N, 3), written: the trials that are ordered.
        ordered: int64 (2 N,), written: numbers of the orders.
        first_row: First row of the first slot.
        bars: Rows of a slot.
        first_trial: Number of the first slot's trial in the domain's list.
        orders: Orders so far.

    Returns:
        Orders so far.
    """
    for i in range(envs.shape[0]):
        e = envs[i]
        if section[e] != Section.SOURCE_TRAIN:
            continue
        seed, number = seeds[e], np.uint64(clock[e, Clock.EPISODE] + 1)
        if choices[e, Choice.SEED] != 0:
            seed, number = next_seeds[e], np.uint64(0)
        offset = clock[e, Clock.START] - first_row
        slot = 2 * e
        if offset >= 0 and (offset // bars) % 2 == 0:  # the first is being read
            slot += 1
        choices[e, Choice.TRIAL] = first_trial + slot + 1
        if ordered[slot] == 0 or keys[slot, 0] != seed[0] or keys[slot, 1] != seed[1] or keys[slot, 2] != number:
            keys[slot, 0] = seed[0]
            keys[slot, 1] = seed[1]
            keys[slot, 2] = number
            orders += 1
            store(ordered, slot, orders)  # after the key
    return orders


@kernel
def are_made(
    envs: IntArray, choices: IntArray, section: AnyArray, ordered: IntArray, made: IntArray, first_trial: int
) -> bool:
    """Whether the trials of the coming episodes are there; the arguments are those of `order_trials`.

    Args:
        envs: See above.
        choices: See above.
        section: See above.
        ordered: See above.
        made: int64 (2 N,), numbers of the orders that the slots hold.
        first_trial: See above.
    """
    for i in range(envs.shape[0]):
        e = envs[i]
        if section[e] == Section.SOURCE_TRAIN:
            slot = choices[e, Choice.TRIAL] - 1 - first_trial
            if load(made, slot) != ordered[slot]:
                return False
    return True
