"""Tables on their way to another process: a message describes them, and their memory follows as open files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from vecbt.data.clock import GlobalTime
from vecbt.data.generated.slots import SlotColumns
from vecbt.data.sample import Sample
from vecbt.data.shared import BarColumns, DataTable, FeatureColumns, TrialColumns
from vecbt.shm.arena import Arena, ArraySpec

__all__ = ["PARTS", "close_all", "describe_sample", "describe_table", "map_arrays", "map_table"]

PARTS: dict[str, type[Any]] = {
    "bars": BarColumns,
    "features": FeatureColumns,
    "trials": TrialColumns,
    "clock": GlobalTime,
    "slots": SlotColumns,
}
"""The parts of a table, in the order in which their memory is sent."""


def describe_table(table: DataTable) -> tuple[dict[str, Any], list[Arena]]:
    """A table as a message can hold it, and the memory of its parts."""
    parts = [getattr(table, name) for name in PARTS]
    return {name: _describe_part(part) for name, part in zip(PARTS, parts, strict=True)}, [part.arena for part in parts]


def map_table(description: dict[str, Any], descriptors: Sequence[int]) -> DataTable:
    """The table that `describe_table` has described; the descriptors belong to it from now on.

    Raises:
        SharedMemoryError: If the memory cannot be mapped.
    """
    left = list(descriptors)
    parts = {}
    try:
        for name, cls in PARTS.items():
            fields = {field: _tuples(value) for field, value in description[name]["fields"].items()}
            parts[name] = cls(arena=map_arrays(description[name]["specs"], left.pop(0)), **fields)
    except BaseException:
        close_all(left)
        raise
    return DataTable(**parts)


def describe_sample(sample: Sample) -> tuple[dict[str, Any], list[Arena]]:
    """A trial as a message can hold it, and a copy of its bars in memory of their own."""
    columns = {"ohlc": sample.ohlc, "volume": sample.volume, "stamps": sample.stamps}
    arena = Arena({name: ArraySpec(column.shape, column.dtype.name) for name, column in columns.items()})
    for name, column in columns.items():
        arena.arrays[name][...] = column
    return {"metadata": dict(sample.metadata), "specs": _describe_arrays(arena)}, [arena]


def map_arrays(specs: dict[str, Any], descriptor: int) -> Arena:
    """The arrays behind a descriptor, which belongs to them from now on.

    Args:
        specs: Shape and dtype of each by name, as in a message.
        descriptor: Their memory.
    """
    return Arena.from_descriptor(
        descriptor, {name: ArraySpec(tuple(shape), dtype) for name, (shape, dtype) in specs.items()}
    )


def close_all(descriptors: Sequence[int]) -> None:
    """Close open files that nobody will use."""
    for descriptor in descriptors:
        os.close(descriptor)


def _describe_part(part: Any) -> dict[str, Any]:
    fields = {field.name: getattr(part, field.name) for field in dataclasses.fields(part) if field.name != "arena"}
    return {"fields": fields, "specs": _describe_arrays(part.arena)}


def _describe_arrays(arena: Arena) -> dict[str, list[Any]]:
    return {name: list(spec) for name, spec in arena.specs.items()}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
