from __future__ import annotations

import pickle
import sys
import types
from typing import Any

import pytest

from vecbt.errors import ConfigError, WorkerError
from vecbt.shm.report import RemoteTraceback, Report, SliceError, reports_of


class Unpickling(Exception):
    """Pickles, but wants two arguments when it is made again."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


class Speechless(Exception):
    def __str__(self) -> str:
        raise KeyError("no words")


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def travelled(report: Report, where: str = "worker 1 (process 5)") -> BaseException:
    return pickle.loads(pickle.dumps(report)).to_exception(where)  # type: ignore[no-any-return]


@pytest.mark.parametrize("error", [ValueError("bad", 3), ConfigError("bad"), KeyError("name"), OSError(2, "gone")])
def test_an_exception_travels(error: Exception) -> None:
    there = travelled(Report.of(raised(error), 3))
    assert type(there) is type(error)
    assert there.args == error.args
    assert there.__notes__ == ["in environment 3, worker 1 (process 5)"]
    assert isinstance(there.__cause__, RemoteTraceback)
    assert "in raised" in str(there.__cause__)
    assert str(there.__cause__).rstrip().endswith(f"{error}")


def test_an_exception_of_no_environment() -> None:
    assert travelled(Report.of(ValueError(), -1)).__notes__ == ["in worker 1 (process 5)"]


def test_attributes_and_notes_travel() -> None:
    error = ValueError("bad")
    error.add_note("of its own")
    error.account = 7  # type: ignore[attr-defined]
    there = travelled(Report.of(raised(error), 0))
    assert there.__notes__ == ["of its own", "in environment 0, worker 1 (process 5)"]
    assert there.account == 7  # type: ignore[attr-defined]
    assert error.__notes__ == ["of its own"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Unpickling(1, 2), "Unpickling: 1 and 2"),
        (ValueError(x for x in ()), "ValueError: <generator object"),
        (Speechless(x for x in ()), r"Speechless: \(its message raises KeyError\)"),
    ],
    ids=["unpickling", "generator", "speechless"],
)
def test_what_cannot_travel_is_told(error: Exception, message: str) -> None:
    report = Report.of(error, 2)
    assert report.exception is None
    with pytest.raises(WorkerError, match=message) as caught:
        raise travelled(report)
    assert caught.value.__notes__ == ["in environment 2, worker 1 (process 5)"]
    assert type(error).__name__ in str(caught.value.__cause__)


def test_classes_of_a_script_travel_with_their_code(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType("a_script")
    monkeypatch.setitem(sys.modules, "a_script", module)
    exec("class Mine(Exception):\n    def twice(self):\n        return 2 * self.args[0]", module.__dict__)
    local = type("Local", (ValueError,), {"__module__": "a_script"})  # cannot be found under its name
    report = Report.of(local(4), 0)
    assert isinstance(travelled(report), ValueError)
    assert travelled(report).args == (4,)
    assert type(travelled(Report.of(module.Mine(4), 0))) is module.Mine  # and those that can are not copied


def test_reports_of_a_slice() -> None:
    error = SliceError([(2, ValueError("two")), (4, KeyError("four"))])
    assert str(error) == "environments [2, 4] failed"
    assert [(report.env, report.kind, report.message) for report in reports_of(error, 9)] == [
        (2, "ValueError", "two"),
        (4, "KeyError", "'four'"),
    ]
    assert [(report.env, report.kind) for report in reports_of(OSError("all"), 9)] == [(9, "OSError")]
