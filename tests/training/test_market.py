from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.markets import small_settings, write_market
from vecbt.errors import ConfigError, TooFewBarsError
from vecbt.strategy import Strategy
from vecbt.training import TrainSettings, open_market


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_market(tmp_path_factory.mktemp("bars") / "bars.csv")


@given(folds=st.integers(1, 6), share=st.floats(0.1, 0.6))
def test_no_row_is_of_two_kinds(bars: str, folds: int, share: float) -> None:
    try:
        market = open_market(small_settings(bars, walk_forward=folds, test=share))
    except TooFewBarsError:
        return
    assert len(market.folds) == folds
    before = None
    for fold in market.folds:
        assert fold.train[0] == 0 < fold.train[1] == fold.validation[0] < fold.validation[1] == fold.test[0]
        assert fold.test[0] < fold.test[1] <= 600
        if before is not None:
            assert fold.test[0] == before.test[1]
            assert fold.validation == before.test  # known by then
        before = fold
    assert market.folds[-1].test[1] == 600
    assert abs((600 - market.history) / 600 - share) < folds / 600


def test_too_few_bars(tmp_path: Path) -> None:
    path = write_market(tmp_path / "bars.csv", 50)
    with pytest.raises(TooFewBarsError, match="50 bars, of which 50% are for test in 6 parts"):
        open_market(small_settings(path, walk_forward=6))


def test_sizes_depend_on_the_first_bar_alone(tmp_path: Path) -> None:
    as_it_is = open_market(small_settings(write_market(tmp_path / "a.csv")))
    changed = open_market(small_settings(write_market(tmp_path / "b.csv", changed_from=480)))
    assert as_it_is.env == changed.env
    assert as_it_is.bars.fingerprint() != changed.bars.fingerprint()


def test_several_files_are_several_assets(tmp_path: Path) -> None:
    paths = tuple(write_market(tmp_path / name) for name in ("2 a.csv", "b.csv"))
    market = open_market(TrainSettings(data=paths))
    assert market.bars.name == "_2_a, b"
    assert market.env["order_size"] == "25%"


def test_a_strategy_of_a_file(bars: str, tmp_path: Path) -> None:
    path = tmp_path / "own_rules.py"
    path.write_text("import vecbt\n\n\nclass Mine(vecbt.Strategy):\n    pass\n")
    found = open_market(small_settings(bars, strategy=f"{path}:Mine")).env["strategy"]
    assert issubclass(found, Strategy)
    for spec in (f"{path}:Yours", f"{tmp_path / 'none.py'}:Mine", "no.such.module:Mine"):
        with pytest.raises(ConfigError, match="cannot be loaded"):
            open_market(small_settings(bars, strategy=spec))
