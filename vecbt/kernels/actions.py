"""From an agent's action to what a broker is asked to do on a bar."""

from __future__ import annotations

import math

from vecbt.arrays import FloatArray
from vecbt.kernels import block as b
from vecbt.kernels._jit import helper
from vecbt.kernels.layout import ActionKind, Clock, Instruction, Phase, Setting

__all__ = ["clear_queue", "instruct"]


@helper
def clear_queue(queue: FloatArray) -> None:
    """Drop the decisions on their way; ``queue`` is (L, K)."""
    for i in range(queue.shape[0]):
        for k in range(queue.shape[1]):
            queue[i, k] = math.nan


@helper
def _scale(actions: FloatArray) -> float:
    """What weights are divided by: the sum of their absolute values, where it is more than 1."""
    total = 0.0
    for k in range(actions.shape[0]):
        total += abs(actions[k])
    return max(total, 1.0)


@helper
def instruct(block: int, e: int, first_bar: bool) -> int:
    """Write environment ``e``'s instructions for orders sent on its current bar.

    The action acts on the first bar of a step, on the others the agent holds. With latency a decision waits that many
    bars. On the bar before a planned end with ``close_out``, and after a call, every position is closed instead.

    Returns:
        The number of assets with an instruction.
    """
    clock, settings, actions = b.clock(block)[e], b.settings(block), b.actions(block)[e]
    sizes, instructions, amounts = b.sizes(block)[e], b.instructions(block)[e], b.amounts(block)[e]
    kind, latency = settings[Setting.ACTIONS], settings[Setting.LATENCY]
    closing = clock[Clock.PHASE] == Phase.CLOSING or (
        settings[Setting.CLOSE_OUT] != 0 and clock[Clock.BAR] == clock[Clock.END] - 1
    )
    scale = 1.0
    if kind == ActionKind.TARGET_PERCENT and actions.shape[0] > 1:
        scale = _scale(actions)
    count = 0
    for k in range(actions.shape[0]):
        decision = actions[k] / scale if first_bar else math.nan
        if latency > 0:
            queue = b.queue(block)[e]
            lane = (clock[Clock.BAR] - clock[Clock.START]) % latency
            due = queue[lane, k]
            queue[lane, k] = decision
            decision = due
        instruction, amount = Instruction.NONE.value, 0.0
        if closing:
            instruction = Instruction.CLOSE.value
        elif decision == decision:
            if kind == ActionKind.DISCRETE:
                instruction = int(decision)  # hold, buy, sell, close have the numbers of the instructions
                amount = sizes[k]
            elif kind == ActionKind.TARGET_POSITION:
                instruction = Instruction.TARGET_SIZE.value
                amount = b.positions(block)[int(decision)] * sizes[k]
            else:
                instruction = Instruction.TARGET_PERCENT.value
                amount = decision
        instructions[k] = instruction
        amounts[k] = amount
        if instruction != 0:
            count += 1
    return count
