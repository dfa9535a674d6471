"""The commands of the terminal, from their arguments to what they print and write."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import image

import vecbt
from vecbt.cli import run
from vecbt.testing import compiled, throughput
from vecbt.warmup import warm_up

MARKET = vecbt.data.synthetic_market(400, seed=3)
COLUMNS = ("open", "high", "low", "close")


def write(path: Path, factors: Any = 1.0) -> Path:
    """The market as a file of comma-separated values, its prices times the factors."""
    index = pd.DatetimeIndex(MARKET.timestamps.astype("datetime64[ns]"), name="time")
    frame = pd.DataFrame({name: MARKET.column(name) * factors for name in COLUMNS}, index=index)
    frame.to_csv(path)
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The message with which a command ends."""
    with pytest.raises(SystemExit) as ended:
        run([*arguments])
    code = ended.value.code
    assert isinstance(code, str)  # which Python prints on standard error and ends with 1
    assert "Traceback" not in capsys.readouterr().err
    return code


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, warnings being errors."""
    root = str(Path(vecbt.__file__).parents[1])
    cache = {name: value for name, value in os.environ.items() if name == "NUMBA_CACHE_DIR"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "vecbt", *arguments],
        cwd=folder,
        env={"PYTHONPATH": root, "PATH": "", "COLUMNS": "200", **cache},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# -- demo --------------------------------------------------------------------------------------------------------------


def assert_is_png(path: Path) -> None:
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    picture = image.imread(path)
    assert min(picture.shape[:2]) > 100
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 10  # there is something on it


@pytest.mark.parametrize("workers", ["0", "1"])
def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: str) -> None:
    picture = tmp_path / "equity.png"
    run(["demo", "--num-envs", "5", "--num-workers", workers, "--steps", "40", "--picture", str(picture)])
    printed = capsys.readouterr().out
    assert "5 environments" in printed
    assert "env-steps/s" in printed
    for line in ("numbers of the two engines compared, 0 different", "compared with plain Backtrader's, 0 different"):
        assert line in printed
    for compared in ("account value", "position", "reward", "observation", "order status", "statistics"):
        assert compared in printed
    for title in ("return", "max drawdown", "Sharpe", "trades", "win rate", "market", "costs"):
        assert title in printed
    assert str(picture) in printed
    assert_is_png(picture)


def test_demo_on_a_file(tmp_path: Path) -> None:
    warm_up()  # or standard error would say that it compiles
    data = write(tmp_path / "mine.csv")
    done = command("demo", "--data", str(data), "--num-envs", "2", "--num-workers", "0", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "mine: 400 bars" in done.stdout
    assert " 0 different" in done.stdout
    assert_is_png(tmp_path / "equity.png")


def test_demo_is_repeatable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def table(seed: int) -> str:
        arguments = ["--num-envs", "3", "--num-workers", "0", "--steps", "30", "--seed", str(seed)]
        run(["demo", *arguments, "--picture", str(tmp_path / "equity.png")])
        printed = capsys.readouterr().out
        return printed[printed.index("max drawdown") :]

    first = table(1)
    assert table(1) == first
    assert table(2) != first


def test_demo_whatever_a_unit_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(tmp_path / "dear.csv", 5_000.0)
    arguments = ["--num-envs", "2", "--num-workers", "0", "--steps", "30", "--picture", str(tmp_path / "equity.png")]
    run(["demo", "--data", str(data), *arguments])
    assert " 0 different" in capsys.readouterr().out


def test_demo_where_some_lose_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A price that leaps to the fivefold ruins whoever is short; their episodes end before the others."""
    data = write(tmp_path / "leap.csv", np.where(np.arange(400) < 200, 1.0, 5.0))
    arguments = ["--num-envs", "32", "--num-workers", "0", "--steps", "300", "--picture", str(tmp_path / "equity.png")]
    run(["demo", "--data", str(data), *arguments])
    printed = capsys.readouterr().out
    lowest = next(line for line in printed.splitlines() if line.startswith("return")).split()[3]
    assert float(lowest.rstrip("%")) <= -100.0
    assert " 0 different" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--num-envs", "0"], "num_envs must be a whole number of at least 1"),
        (["--num-workers", "-1"], "num_workers must be"),
        (["--steps", "0"], "episode_steps must be a whole number of at least 1"),
        (["--data", "nowhere.csv"], "nowhere.csv: there is no such file"),
        (["--picture", "nowhere/equity.png"], "there is no folder nowhere"),
        (["--picture", "equity.abc"], "endings"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_demo_refuses(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert message in refused(capsys, "demo", *arguments)


def test_demo_refuses_too_few_bars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(tmp_path / "short.csv")
    lines = data.read_text(encoding="utf-8").splitlines()
    data.write_text("\n".join(lines[:11]), encoding="utf-8")
    assert "a window of 30 bars is longer than the data, which have 10" in refused(capsys, "demo", "--data", str(data))


# -- bench -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_bench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # As short as may be: the figures are not looked at.
    monkeypatch.setattr(throughput, "_SECONDS", 0.01)
    monkeypatch.setattr(compiled, "_SECONDS", 0.01)
    run(["bench", "--num-envs", "2", "--num-workers", "1", "--repeats", "1"])
    printed = capsys.readouterr().out
    assert "per second" in printed
    for name in ("plain Backtrader", compiled.SINGLE, *map(compiled.of_size, compiled.SIZES)):
        assert name in printed
    starts = ("vecbt over plain Backtrader", f"{compiled.of_size(4096)} over plain Backtrader")
    rows = [line for line in printed.splitlines() if line.startswith(starts)]
    assert len(rows) == 3
    for row in rows:
        median, lowest, highest = (float(cell.replace(",", "")) for cell in row.split()[-3:])
        assert median == lowest == highest > 0.0  # of a single round


@pytest.mark.parametrize("name", ["--num-envs", "--num-workers", "--repeats"])
def test_bench_refuses(capsys: pytest.CaptureFixture[str], name: str) -> None:
    expected = f"vecbt: {name[2:].replace('-', '_')} must be a whole number of at least 1, got 0"
    assert refused(capsys, "bench", name, "0") == expected


# -- check -------------------------------------------------------------------------------------------------------------


def test_check(tmp_path: Path) -> None:
    done = command("check", str(write(tmp_path / "mine.csv")), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "mine.csv: 400 valid bars" in done.stdout
    assert str(pd.Timestamp(int(MARKET.timestamps[0]), tz="UTC")) in done.stdout
    assert f"{MARKET.low.min():.6g}" in done.stdout


GOOD, NEGATIVE = "2024-01-02,1,2,0.5,1.5", "2024-01-01,1,2,0.5,-1.5"


def test_check_of_a_bad_file(tmp_path: Path) -> None:
    data = tmp_path / "bad.csv"
    data.write_text(f"date,open,high,low,close\n{GOOD}\n{NEGATIVE}\n", encoding="utf-8")
    done = command("check", str(data), folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"vecbt: {data}, row 3, column 'close': the close is -1.5")
    assert "Traceback" not in done.stderr


def test_check_repairs_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "bad.csv"
    unsorted = GOOD.replace("-02", "-01")
    data.write_text(f"date,open,high,low,close\n{GOOD}\n{NEGATIVE}\n{unsorted}\n", encoding="utf-8")
    assert "row 3" in refused(capsys, "check", str(data))
    assert "repair='sort'" in refused(capsys, "check", str(data), "--repair", "drop")
    run(["check", str(data), "--repair", "drop", "sort"])
    printed = capsys.readouterr().out
    assert "2 valid bars" in printed
    assert "row 3" in printed  # what has been left out


@pytest.mark.parametrize(("rows", "bars"), [([GOOD], 1), ([NEGATIVE.replace("-1.5", "1.5"), GOOD], 2)])
def test_check_of_few_bars(tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[str], bars: int) -> None:
    data = tmp_path / "few.csv"
    data.write_text("\n".join(["date,open,high,low,close", *rows]), encoding="utf-8")
    run(["check", str(data)])
    assert f"{bars} valid bars" in capsys.readouterr().out


def test_check_takes_zone_and_stamp(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "few.csv"
    rows = [f"2024-01-02 0{hour}:00,1,2,0.5,1.5" for hour in range(3)]
    data.write_text("\n".join(["date,open,high,low,close", *rows]), encoding="utf-8")
    run(["check", str(data), "--tz", "Europe/Berlin", "--stamp", "start"])
    # A bar that starts at midnight in Berlin is known an hour later.
    assert "2024-01-02 00:00:00+00:00" in capsys.readouterr().out
    assert "time zone" in refused(capsys, "check", str(data), "--tz", "Europe/Berlln")


def test_check_of_several_assets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write(tmp_path / "BTC-USD.csv")
    lines = first.read_text(encoding="utf-8").splitlines(keepends=True)
    second = tmp_path / "7.csv"
    second.write_text("".join([*lines[:1], *lines[11:]]), encoding="utf-8")
    (tmp_path / "again").mkdir()
    run(["check", str(first), str(second), str(write(tmp_path / "again" / "BTC-USD.csv", 2.0))])
    printed = capsys.readouterr().out
    assert printed.count("valid bars") == 3
    assert "\nBTC_USD, _7, BTC_USD_3: 390 bars in common\n  BTC_USD: left out 10 of 400 bars (2.5%)" in printed
    second.write_text("".join([*lines[:1], *lines[1::60]]), encoding="utf-8")
    assert "_7 has bars of 1 h, BTC_USD of 1 min: resample" in refused(capsys, "check", str(first), str(second))


@pytest.mark.parametrize("path", ["nowhere.csv", "."])
def test_check_of_what_is_no_file(capsys: pytest.CaptureFixture[str], path: str) -> None:
    assert refused(capsys, "check", path).startswith(f"vecbt: {path}: ")


# -- the command itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["demo"], ["bench"], ["check"]], ids=" ".join)
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run([*arguments, "--help"])
    assert ended.value.code in (0, None)
    assert capsys.readouterr().out.startswith("usage: vecbt")


def test_help_of_the_module(tmp_path: Path) -> None:
    done = command("--help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: vecbt")


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", [["check", "few.csv"], ["--help"]], ids=" ".join)
def test_a_reader_that_has_seen_enough(tmp_path: Path, arguments: list[str], unbuffered: str) -> None:
    """As in ``vecbt check FILE | head``; the pipe is closed before there is anything to read."""
    (tmp_path / "few.csv").write_text(f"date,open,high,low,close\n{GOOD}\n", encoding="utf-8")
    theirs, ours = os.pipe()
    os.close(theirs)
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "vecbt", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(vecbt.__file__).parents[1]), "PATH": "", "PYTHONUNBUFFERED": unbuffered},
            stdout=ours,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(ours)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("arguments", [[], ["dmeo"], ["check"], ["demo", "--num-env", "2"], ["demo", "--steps", "x"]])
def test_what_is_no_command(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_a_missing_extra_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    from vecbt.__main__ import main

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r'needs tyro and matplotlib: pip install "vecbt\[cli\]"'):
        main()
