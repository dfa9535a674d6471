"""Reading bars, and computing features over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import vecbt
from tests.kernels.indicator_cases import CASES
from vecbt.data import Bars
from vecbt.data.features import compile_features

ROWS = 20_000


def frame_of(bars: Bars) -> pd.DataFrame:
    index = pd.DatetimeIndex(pd.to_datetime(bars.timestamps[:ROWS], unit="ns"), name="date")
    return pd.DataFrame({name: bars.column(name)[:ROWS] for name in ("open", "high", "low", "close", "volume")}, index)


def write_histdata(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, sep=";", header=False, date_format="%Y%m%d %H%M%S")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path)


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path)


@pytest.mark.benchmark(group="read 20,000 bars")
@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_histdata, "bars.csv"),
        (write_csv, "bars.csv"),
        (write_csv, "bars.csv.gz"),
        (write_parquet, "bars.parquet"),
    ],
    ids=["HistData", "CSV", "CSV, compressed", "Parquet"],
)
def test_read_file(benchmark: Any, market: Bars, tmp_path: Path, write: Any, name: str) -> None:
    write(frame_of(market), tmp_path / name)
    bars = benchmark(vecbt.read_bars, tmp_path / name)
    assert len(bars) == ROWS


@pytest.mark.benchmark(group="read 20,000 bars")
def test_read_frame(benchmark: Any, market: Bars) -> None:
    bars = benchmark(vecbt.read_bars, frame_of(market))
    assert len(bars) == ROWS


@pytest.mark.benchmark(group="a feature over 50,000 bars")
@pytest.mark.parametrize("expression", [case.expression for case in CASES if not case.divides])
def test_feature(benchmark: Any, market: Bars, expression: str) -> None:
    table = benchmark(compile_features, [expression], market)
    assert len(table.values) == len(market)
