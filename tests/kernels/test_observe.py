from __future__ import annotations

from typing import Any

import numpy as np

from tests.kernels.batches import MARKET, Arrays
from vecbt.kernels._jit import kernel
from vecbt.kernels.observe import write_observation

BAR = 321


@kernel
def call_write(block, e, bar):  # type: ignore[no-untyped-def]
    write_observation(block, e, bar)


def window(**settings: Any) -> np.ndarray:
    arrays = Arrays(**settings)
    call_write(arrays.block.address, 1, BAR)
    assert not arrays["market"][0].any()  # only its own row
    width = len(arrays.plan.table.features.names)
    return arrays["market"][1][: settings.get("window", 30) * width].reshape(-1, width)


def test_a_window_ends_with_its_bar() -> None:
    expected = np.stack([MARKET.column(name)[BAR - 29 : BAR + 1] for name in ("open", "high", "low", "close")], axis=1)
    assert (window() == expected.astype(np.float32)).all()


def test_a_window_of_one_bar() -> None:
    assert window(window=1, features=("close", "volume")).tolist() == [
        [np.float32(MARKET.close[BAR]), np.float32(MARKET.volume[BAR])]
    ]


def test_a_window_normalized_by_itself() -> None:
    got = window(normalize="window", features=("high", "volume"), window=20)
    rows = slice(BAR - 19, BAR + 1)
    high, volume = MARKET.high[rows], MARKET.volume[rows]
    assert (got[:, 0] == (high / MARKET.close[BAR] - 1.0).astype(np.float32)).all()
    np.testing.assert_allclose(got[:, 1], (volume - volume.mean()) / volume.std(), rtol=1e-5)


def test_a_constant_column_normalized_by_itself_is_zero() -> None:
    got = window(normalize="window", features=("volume * 0 + 3",), window=5)
    assert (got == 0.0).all()


def test_columns_normalized_over_the_training_rows() -> None:
    got = window(normalize="train", features=("close", "log_return"))
    close = MARKET.close
    returns = np.array([np.nan, *(np.log(close[1:] / close[:-1]))])
    rows = slice(BAR - 29, BAR + 1)
    np.testing.assert_allclose(got[:, 0], ((close - close[1:].mean()) / close[1:].std())[rows], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        got[:, 1], ((returns - returns[1:].mean()) / returns[1:].std())[rows], rtol=1e-4, atol=1e-6
    )


def test_a_flat_observation_has_the_account_after_the_window() -> None:
    arrays = Arrays(flatten=True, account_features=("cash", "drawdown"), window=3)
    arrays["track"][1, 1] = 12.5  # the drawdown
    arrays["rows"][1, 0] = 10_000.0
    call_write(arrays.block.address, 1, BAR)
    row = arrays["market"][1]
    assert row.shape == (3 * 4 + 2,)
    assert row[-1] == 12.5
    assert (row[:4] == np.float32([MARKET.column(name)[BAR - 2] for name in ("open", "high", "low", "close")])).all()
