"""Whatever is changed in the broker's arithmetic, the comparison with stock Backtrader finds it.

Hundreds of changes, one at a time: an operator, a comparison, the order of operations, a statement left out. The broker
is run as plain Python here, which `test_broker` holds to the compiled one, so that no change has to be compiled.
"""

from __future__ import annotations

import pytest

from tests.brokers.compiled.mutants import mutants
from tests.brokers.compiled.orders import EDGES, MODULES, draw_orders, plain_broker, run_stock, source_of

DRAWN = {1: 200, 2: 40, 3: 40}
"""How many cases are drawn with so many assets."""

SAME = {
    "money": {
        # No order is for 0 units, and a position that is left or was there is not 0 on these lines.
        "if (size0 > 0.0) == (size > 0.0): -> if (size0 >= 0.0) == (size > 0.0):",
        "if (size0 > 0.0) == (size > 0.0): -> if (size0 > 0.0) == (size >= 0.0):",
        "if (after > 0.0) == (size0 > 0.0): -> if (after >= 0.0) == (size0 > 0.0):",
        "if (after > 0.0) == (size0 > 0.0): -> if (after > 0.0) == (size0 >= 0.0):",
        # Both ways are 0.
        "return value / scheme[Scheme.LEVERAGE] if value > 0.0 else value -> "
        "return value / scheme[Scheme.LEVERAGE] if value >= 0.0 else value",
        "if shortcash or size >= 0.0: -> if shortcash or size > 0.0:",
    },
    "trades": {
        # An execution's closing part goes to 0 and its opening part comes from there: neither is between equals.
        "if abs(after) > abs(before): -> if abs(after) >= abs(before):",
        # Anything but 0 is yes.
        "held[Held.TRADE_CLOSED] = 1.0 if after == 0.0 and before != 0.0 else 0.0 -> "
        "held[Held.TRADE_CLOSED] = 2.0 if after == 0.0 and before != 0.0 else 0.0",
        # A closed trade is of 0 units, and 0 units have no price.
        "held[Held.TRADE_SIZE] = held[Held.TRADE_PRICE] = 0.0 -> pass",
        # What opens cannot close; Backtrader asks all the same.
        "_enter_closed(row, held) -> pass",
    },
    "entries": {
        # An only asset is looked at whether it has been entered or not.
        "if entries.shape[0] > 1: -> if entries.shape[0] >= 1:",
    },
    "intake": {
        # Equal amounts come to an order of 0 units, which is none.
        "if amount > value: -> if amount >= value:",
        "if amount < value: -> if amount <= value:",
        "return amount - size if amount > size else -(size - amount) -> "
        "return amount - size if amount >= size else -(size - amount)",
        # Floating-point subtraction is symmetric.
        "return amount - size if amount > size else -(size - amount) -> "
        "return amount - size if amount <= size else -(size - amount)",
        # An order of 0 units is none in either turn.
        "reduces = size < 0.0 if position > 0.0 else position < 0.0 and size > 0.0 -> "
        "reduces = size <= 0.0 if position > 0.0 else position < 0.0 and size > 0.0",
        "reduces = size < 0.0 if position > 0.0 else position < 0.0 and size > 0.0 -> "
        "reduces = size < 0.0 if position > 0.0 else position < 0.0 and size >= 0.0",
        # What would have been ordered of an only asset is asked by nobody.
        "if held.shape[0] > 1: -> if held.shape[0] >= 1:",
        "if assets > 1: -> if assets >= 1:",
        # A quotient by 0 is infinite too.
        "return exposure / row[Row.VALUE] if row[Row.VALUE] > 0.0 else math.inf -> "
        "return exposure / row[Row.VALUE] if row[Row.VALUE] >= 0.0 else math.inf",
    },
    "broker": {
        # The same value again.
        "if status > row[column]: -> if status >= row[column]:",
        # At an opening it is not looked at, and a trade that counts as closed is begun anew.
        "held[asset, column] = 0.0 -> held[asset, column] = 1.0",
        # No order is for 0 units.
        "if ordered > 0.0: -> if ordered >= 0.0:",
        # There is nothing to settle where a position has been opened from 0.
        "if abs(after) > abs(opened): -> if abs(after) >= abs(opened):",
        "if abs(after) > abs(opened): -> if abs(after) > opened:",
        # Both ways are 0.
        "if value > 0.0: -> if value >= 0.0:",
        # Loops over nothing.
        "if counts[Queue.SUBMITTED] > 0: -> if counts[Queue.SUBMITTED] >= 0:",
        "if counts[Queue.PENDING] > 0: -> if counts[Queue.PENDING] >= 0:",
    },
}
"""Changes that change nothing, with the reason."""


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_every_change_is_found(module: str) -> None:
    drawn = [draw_orders(seed, assets=assets) for assets, count in DRAWN.items() for seed in range(count)]
    table = [*EDGES.values(), *drawn]
    expected = [repr(run_stock(orders)) for orders in table]
    changes = list(mutants(source_of(module)))
    assert {change for change, _ in changes} >= SAME[module]
    missed = []
    for change, tree in changes:
        if change in SAME[module]:
            continue
        try:
            run = plain_broker(module, tree)
            found = any(repr(run(orders)) != rows for orders, rows in zip(table, expected, strict=True))
        except Exception:  # a name that is no longer assigned, a division by 0
            found = True
        if not found:
            missed.append(change)
    assert not missed, "\n".join(missed)
    assert len(changes) > 10
