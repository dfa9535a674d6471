"""Whatever is changed in the broker's arithmetic, the comparison with stock Backtrader finds it.

Hundreds of changes, one at a time: an operator, a comparison, the order of operations, a statement left out. The broker
is run as plain Python here, which `test_broker` holds to the compiled one, so that no change has to be compiled.
"""

from __future__ import annotations

import pytest

from tests.brokers.compiled.mutants import mutants
from tests.brokers.compiled.orders import EDGES, MODULES, draw_orders, plain_broker, run_stock, source_of

DRAWN = 200

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
    "intake": {
        # Equal amounts come to an order of 0 units, which is none.
        "if amount > value: -> if amount >= value:",
        "if amount < value: -> if amount <= value:",
        "return (amount - size if amount > size else -(size - amount), amount != size) -> "
        "return (amount - size if amount >= size else -(size - amount), amount != size)",
        # Floating-point subtraction is symmetric.
        "return (amount - size if amount > size else -(size - amount), amount != size) -> "
        "return (amount - size if amount <= size else -(size - amount), amount != size)",
        # A quotient by 0 is infinite too.
        "return exposure / row[Row.VALUE] if row[Row.VALUE] > 0.0 else math.inf -> "
        "return exposure / row[Row.VALUE] if row[Row.VALUE] >= 0.0 else math.inf",
        # Nothing is more than infinite.
        "if limit < math.inf and _exposure_after(block, book, e, asset, size) > limit: -> "
        "if limit <= math.inf and _exposure_after(block, book, e, asset, size) > limit:",
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
        # The sum is 0 before it, of one asset.
        "capital += value / scheme[Scheme.LEVERAGE]; capital += gain -> "
        "capital += value / scheme[Scheme.LEVERAGE] + gain",
        # Both ways are 0.
        "if value > 0.0: -> if value >= 0.0:",
        # Loops over nothing.
        "if counts[Queue.SUBMITTED] > 0: -> if counts[Queue.SUBMITTED] >= 0:",
        "if counts[Queue.PENDING] > 0: -> if counts[Queue.PENDING] >= 0:",
    },
}
"""Changes that change nothing, with the reason."""


@pytest.mark.parametrize("module", MODULES)
def test_every_change_is_found(module: str) -> None:
    table = [*EDGES.values(), *map(draw_orders, range(DRAWN))]
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
    assert len(changes) > 30
