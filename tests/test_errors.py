from __future__ import annotations

import copy
import inspect
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecbt
from vecbt import errors
from vecbt.errors import DataError, MissingExtraError, UnknownNameError, VecbtError

# What each exception is beyond its base in the tree, in order.
TREE: dict[str, tuple[str, ...]] = {
    "VecbtError": ("Exception",),
    "ConfigError": ("VecbtError", "ValueError"),
    "UnknownNameError": ("ConfigError",),
    "DataError": ("VecbtError", "ValueError"),
    "DataFileError": ("DataError",),
    "ColumnError": ("DataError",),
    "TimestampError": ("DataError",),
    "PriceError": ("DataError",),
    "TooFewBarsError": ("DataError",),
    "FeatureError": ("VecbtError", "ValueError"),
    "SamplingError": ("VecbtError", "ValueError"),
    "ExhaustedError": ("SamplingError",),
    "ActionError": ("VecbtError", "ValueError"),
    "EpisodeError": ("VecbtError", "RuntimeError"),
    "SpaceMismatchError": ("VecbtError", "RuntimeError"),
    "PendingCallError": ("VecbtError", "AlreadyPendingCallError"),
    "NoPendingCallError": ("VecbtError", "NoAsyncCallError"),
    "LookAheadError": ("VecbtError", "IndexError"),
    "StrategyError": ("VecbtError", "RuntimeError"),
    "ClosedError": ("VecbtError", "ClosedEnvironmentError", "RuntimeError"),
    "SharedMemoryError": ("VecbtError", "MemoryError"),
    "MessageError": ("VecbtError", "ValueError"),
    "WorkerError": ("VecbtError", "RuntimeError"),
    "AuthenticationError": ("WorkerError",),
    "WorkerDiedError": ("WorkerError",),
    "WorkerTimeoutError": ("WorkerError", "TimeoutError", "TimeoutError"),  # multiprocessing's and Python's
    "ConformanceError": ("VecbtError", "AssertionError"),
    "MissingExtraError": ("VecbtError", "ImportError"),
}
CLASSES = [getattr(errors, name) for name in TREE]
DATA_ERRORS = [cls for cls in CLASSES if issubclass(cls, DataError)]
every_class = pytest.mark.parametrize("cls", CLASSES, ids=list(TREE))
every_data_error = pytest.mark.parametrize("cls", DATA_ERRORS, ids=[cls.__name__ for cls in DATA_ERRORS])


def test_the_tree() -> None:
    defined = {
        name: cls
        for name, cls in vars(errors).items()
        if inspect.isclass(cls) and issubclass(cls, BaseException) and cls.__module__ == errors.__name__
    }
    assert {name: tuple(base.__name__ for base in cls.__bases__) for name, cls in defined.items()} == TREE
    assert errors.__all__ == sorted(TREE)
    assert vecbt.errors is errors


def test_the_tree_in_the_documentation_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn = errors.__doc__.split("```")[1].splitlines()[1:]
    lines = [line for line in drawn if line.strip()]
    path: list[str] = []
    for line in lines:
        bare = line.lstrip("│├└─ ")
        name = bare.split()[0]
        depth = (len(line) - len(bare)) // 4
        del path[depth:]
        if path:
            assert path[-1] in TREE[name]
        for builtin in (
            "ValueError",
            "RuntimeError",
            "IndexError",
            "MemoryError",
            "TimeoutError",
            "ImportError",
            "AssertionError",
        ):
            inherited = builtin in TREE[name]
            assert (f"({builtin})" in line) == inherited, line
        path.append(name)
    assert sorted(line.lstrip("│├└─ ").split()[0] for line in lines) == sorted(TREE)


@every_class
def test_one_root(cls: type[Exception]) -> None:
    assert issubclass(cls, VecbtError)
    assert cls.__doc__
    assert cls.__module__ == "vecbt.errors"


@every_class
def test_messages_survive_copies_and_pickles(cls: type[Exception]) -> None:
    error = cls("expected 1, got 2")
    assert str(error) == "expected 1, got 2"
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        twin = pickle.loads(pickle.dumps(error, protocol))
        assert type(twin) is cls
        assert str(twin) == str(error)
        assert twin.args == error.args
    assert str(copy.copy(error)) == str(copy.deepcopy(error)) == str(error)


@every_class
def test_notes_survive_pickles(cls: type[Exception]) -> None:
    error = cls("expected 1, got 2")
    error.add_note("in environment 3")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["in environment 3"]


@every_data_error
@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "no number"),
        ({"source": "a.csv"}, "a.csv: no number"),
        ({"row": 0}, "row 0: no number"),
        ({"column": "close"}, "column 'close': no number"),
        ({"source": "a.csv", "row": 17}, "a.csv, row 17: no number"),
        ({"source": "a.csv", "column": "close"}, "a.csv, column 'close': no number"),
        ({"row": 3, "column": "close"}, "row 3, column 'close': no number"),
        ({"source": "a.csv", "row": 17, "column": "close"}, "a.csv, row 17, column 'close': no number"),
        ({"source": "", "column": ""}, ", column '': no number"),
    ],
)
def test_data_errors_say_where(cls: type[DataError], fields: dict[str, object], text: str) -> None:
    error = cls("no number", **fields)
    for twin in (error, copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is cls
        assert str(twin) == text
        assert twin.message == "no number"
        assert (twin.source, twin.row, twin.column) == tuple(fields.get(x) for x in ("source", "row", "column"))


@given(st.text(), st.none() | st.text(), st.none() | st.integers(), st.none() | st.text())
def test_fields_of_a_data_error_survive(message: str, source: str | None, row: int | None, column: str | None) -> None:
    error = DataError(message, source=source, row=row, column=column)
    twin = pickle.loads(pickle.dumps(error))
    assert vars(twin) == vars(error)
    assert str(twin) == str(error)
    assert str(error).endswith(message)
    for part in (source, column):
        assert part is None or part in str(error) or repr(part) in str(error)


def test_where_is_given_by_keyword() -> None:
    with pytest.raises(TypeError):
        DataError("no number", "a.csv")


@pytest.mark.parametrize(
    ("name", "known", "text"),
    [
        ("log_retrun", ["pnl", "log_return"], "'log_retrun': did you mean 'log_return'? Known: log_return, pnl"),
        ("zzz", ["pnl", "log_return"], "'zzz': Known: log_return, pnl"),
        (None, ("b", "a"), "None: Known: a, b"),
        (3, {"a"}, "3: Known: a"),
        ("clos", (x for x in ("open", "close")), "'clos': did you mean 'close'? Known: close, open"),
    ],
)
def test_unknown_names_suggest_the_nearest(name: object, known: list[str], text: str) -> None:
    error = UnknownNameError.of("reward", name, known)
    assert type(error) is UnknownNameError
    assert str(error) == f"unknown reward {text}"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@given(st.text(), st.lists(st.text(min_size=1), min_size=1, unique=True))
def test_an_unknown_name_lists_all_known_ones(name: str, known: list[str]) -> None:
    text = str(UnknownNameError.of("thing", name, known))
    assert repr(name) in text
    assert text.endswith("Known: " + ", ".join(sorted(known)))
    assert name not in known or f"did you mean {name!r}?" in text


def test_a_missing_extra_says_what_to_install() -> None:
    error = MissingExtraError.of("reading Parquet", "pyarrow", "parquet")
    assert type(error) is MissingExtraError
    assert str(error) == 'reading Parquet needs pyarrow, which is not installed: pip install "vecbt[parquet]"'
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
