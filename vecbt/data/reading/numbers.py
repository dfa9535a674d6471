"""Numbers in text: thousands separators, decimal commas, currencies, percentages, and the suffixes K, M and B.

``1,234`` is a thousand or one and a bit, depending on where the file was written. A file is read one way throughout,
and only if the other is impossible.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from enum import Enum
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from vecbt.arrays import BoolArray, FloatArray

__all__ = ["MISSING", "Style", "is_number", "parse_numbers", "possible_styles"]

MISSING = frozenset(
    ("", "-", "--", ".", "?", "nan", "NaN", "NAN", "-nan", "-NaN", "null", "Null", "NULL", "none", "None", "NONE", "na",
     "NA", "n/a", "N/A", "#N/A", "#NA", "<NA>", "nil", "NaT")
)  # fmt: skip
"""Cells that hold no value."""

LONGEST = 64  # characters of a number; it bounds the work of the expressions
_SPACES = "'\u2019 \u00a0\u202f"  # what groups digits whatever the decimal mark is
_BODY = rf"[0-9.,{_SPACES}]*[0-9.,](?:[eE][-+]?[0-9]{{1,3}})?"
_DRESS = re.compile(rf"(?P<sign>[-+]?) ?[$€£¥]? ?(?P<body>{_BODY}) ?(?P<unit>[KkMB%]?)")
_ZEROS = str.maketrans("123456789", "0" * 9)
_POWER = {"": 0, "K": 3, "k": 3, "M": 6, "B": 9, "%": -2}


class Style(Enum):
    """How a file writes its numbers: the decimal mark, and what may group the digits before it."""

    POINT = (".", ",")
    COMMA = (",", ".")


def _form(decimal: str, group: str) -> re.Pattern[str]:
    whole = rf"[0-9]+|[0-9]{{1,3}}(?P<group>[{group}{_SPACES}])[0-9]{{3}}(?:(?P=group)[0-9]{{3}})*"
    return re.compile(rf"(?P<whole>{whole})?(?:[{decimal}](?P<part>[0-9]*))?(?P<power>[eE][-+]?[0-9]+)?")


_FORMS = {style: _form(*style.value) for style in Style}


def is_number(text: str) -> bool:
    """Whether a text is a number in some style."""
    dress = _undress(text)
    return dress is not None and any(_match(dress, style) for style in Style)


def possible_styles(columns: Iterable[NDArray[np.object_]]) -> set[Style]:
    """The styles in which all cells that look like numbers are numbers.

    Both are possible only if a cell has a comma: without one, a point is a decimal point.
    """
    found = set(Style)
    comma = False
    # Which digits a number has is no matter here, so that columns of a million numbers come down to a few shapes.
    for shape in {text.translate(_ZEROS) for values in columns for text in values if type(text) is str}:
        dress = _undress(shape.strip())
        fitting = {style for style in Style if dress and _match(dress, style)}
        if fitting:
            comma |= "," in shape
            found &= fitting
    return found if comma else {Style.POINT}


def parse_numbers(values: NDArray[np.object_], style: Style) -> tuple[FloatArray, BoolArray]:
    """Read a column of cells as numbers.

    Args:
        values: (T,) texts, numbers of any kind, and missing values.
        style: How texts write numbers.

    Returns:
        float64 (T,), NaN where there is none; and a bool (T,) mask of the cells that hold something else.
    """
    plain = np.array([value.strip() if type(value) is str else _plain(value) for value in values], object)
    codes, uniques = pd.factorize(plain)
    # One place more, for the code -1 of missing values.
    numbers = np.array([*(_number(unique, style) for unique in uniques), math.nan])
    known = np.array([*(unique in MISSING for unique in uniques), True])
    return numbers[codes], (np.isnan(numbers) & ~known)[codes]


def _undress(text: str) -> re.Match[str] | None:
    return _DRESS.fullmatch(text) if len(text) <= LONGEST else None


def _match(dress: re.Match[str], style: Style) -> re.Match[str] | None:
    form = _FORMS[style].fullmatch(dress["body"])
    return form if form and (form["whole"] or form["part"]) else None


def _plain(value: Any) -> object:
    """A cell that is no str, as a float if it is a number, None if it is missing, else its text."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, Real | Decimal):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return str(value)
        return None if math.isnan(number) else number
    return str(value)


def _number(value: object, style: Style) -> float:
    """The number that a cell holds; NaN if it holds none."""
    if isinstance(value, float):
        return value
    text = str(value)
    if text.lower() in ("inf", "-inf", "+inf", "infinity", "-infinity"):
        return float(text)
    dress = _undress(text)
    form = _match(dress, style) if dress else None
    if dress is None or form is None:
        return math.nan
    power = int((form["power"] or "e0")[1:]) + _POWER[dress["unit"]]
    whole = re.sub(r"[^0-9]", "", form["whole"] or "0")
    return float(f"{dress['sign']}{whole}.{form['part'] or '0'}e{power}")
