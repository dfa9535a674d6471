from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.kernels.batches import Arrays
from vecbt.kernels import block as b
from vecbt.kernels._jit import kernel
from vecbt.kernels.actions import clear_queue, instruct
from vecbt.kernels.layout import Clock, Instruction, Phase


@kernel
def call_instruct(block, e, first_bar):  # type: ignore[no-untyped-def]
    return instruct(block, e, first_bar)


@kernel
def call_clear(block, e):  # type: ignore[no-untyped-def]
    clear_queue(b.queue(block)[e])


def prepared(**settings: Any) -> Arrays:
    arrays = Arrays(**settings)
    arrays["clock"][:, Clock.PHASE] = Phase.RUNNING
    arrays["clock"][:, Clock.END] = 1_000
    arrays["sizes"][:] = 7.0
    call_clear(arrays.block.address, 0)
    return arrays


def instruction(arrays: Arrays, action: float, first_bar: bool = True, bar: int = 0) -> tuple[int, float]:
    arrays["actions"][0, 0] = action
    arrays["clock"][0, Clock.BAR] = bar
    count = call_instruct(arrays.block.address, 0, first_bar)
    code, amount = arrays["instructions"][0, 0], arrays["amounts"][0, 0]
    assert count == (code != 0)
    return int(code), float(amount)


def test_discrete_actions() -> None:
    arrays = prepared()
    assert instruction(arrays, 0)[0] == Instruction.NONE
    assert instruction(arrays, 1) == (Instruction.BUY, 7.0)
    assert instruction(arrays, 2) == (Instruction.SELL, 7.0)
    assert instruction(arrays, 3)[0] == Instruction.CLOSE


def test_target_positions_are_multiples_of_the_order_size() -> None:
    arrays = prepared(actions="target_position", positions=(-2.0, 0.0, 0.5))
    assert [instruction(arrays, code) for code in range(3)] == [
        (Instruction.TARGET_SIZE, -14.0),
        (Instruction.TARGET_SIZE, 0.0),
        (Instruction.TARGET_SIZE, 3.5),
    ]


def test_target_percent_is_passed_on() -> None:
    arrays = prepared(actions="target_percent")
    assert instruction(arrays, -0.3) == (Instruction.TARGET_PERCENT, -0.3)


@pytest.mark.parametrize("actions", ["discrete", "target_position", "target_percent"])
def test_the_agent_holds_after_the_first_bar_of_a_step(actions: str) -> None:
    assert instruction(prepared(actions=actions), 1.0, first_bar=False)[0] == Instruction.NONE


def test_latency_delays_every_decision_by_its_bars() -> None:
    arrays = prepared(latency=3)
    decisions = [1, 0, 2, 3, 0, 1, 2, 0, 0, 3]
    done = [instruction(arrays, action, bar=bar)[0] for bar, action in enumerate(decisions)]
    assert done == [0, 0, 0, *decisions[:-3]]


def test_latency_counts_bars_not_steps() -> None:
    arrays = prepared(latency=2)
    done = [instruction(arrays, 1, first_bar=bar % 3 == 0, bar=bar)[0] for bar in range(7)]
    assert done == [0, 0, 1, 0, 0, 1, 0]  # decided on bars 0 and 3


def test_positions_are_closed_out_before_a_planned_end() -> None:
    arrays = prepared(close_out=True)
    arrays["clock"][0, Clock.END] = 10
    assert instruction(arrays, 1, bar=8) == (Instruction.BUY, 7.0)
    assert instruction(arrays, 1, bar=9)[0] == Instruction.CLOSE


def test_positions_are_closed_out_after_a_call() -> None:
    arrays = prepared()
    arrays["clock"][0, Clock.PHASE] = Phase.CLOSING
    assert instruction(arrays, 1, first_bar=False)[0] == Instruction.CLOSE


def test_an_environments_instructions_are_its_own() -> None:
    arrays = prepared()
    arrays["actions"][:] = 1.0
    call_instruct(arrays.block.address, 0, True)
    assert arrays["instructions"].tolist() == [[1], [0]]
    assert np.isnan(arrays["queue"]).all()  # of latency 0 there is none
