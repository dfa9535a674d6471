"""Every exception that vecbt raises on purpose.

```text
VecbtError
├── ConfigError (ValueError)            a setting, or settings that do not go together
│   └── UnknownNameError                a name that is not one of the known ones
├── DataError (ValueError)              the user's data: file, row, column
│   ├── DataFileError                   missing, empty or unreadable as a whole
│   ├── ColumnError                     wrong columns, or a value that is no number
│   ├── TimestampError                  unreadable, unsorted, duplicate, ambiguous, mixed zones
│   ├── PriceError                      NaN, not positive, high and low do not bound the bar
│   └── TooFewBarsError                 less data than an episode needs
├── FeatureError (ValueError)           a feature expression
├── SamplingError (ValueError)          no trial or episode satisfies the rules
│   └── ExhaustedError                  the trials of a domain are used up
├── ActionError (ValueError)            an action outside its space, with the env's index
├── EpisodeError (RuntimeError)         a call that the state of the episodes does not allow
├── SpaceMismatchError (RuntimeError)   environments of a batch whose spaces differ
├── PendingCallError                    a call while another is under way (Gymnasium's AlreadyPendingCallError)
├── NoPendingCallError                  nothing to wait for (Gymnasium's NoAsyncCallError)
├── LookAheadError (IndexError)         a strategy reads a bar that is not there yet
├── StrategyError (RuntimeError)        a strategy does what an environment cannot allow
├── ClosedError (RuntimeError)          use after close() (Gymnasium's ClosedEnvironmentError too)
├── SharedMemoryError (MemoryError)     memory between processes that the system cannot provide
├── MessageError (ValueError)           what came over a connection is no message
├── WorkerError (RuntimeError)          something went wrong in another process
│   ├── AuthenticationError             it is not who it should be: another user's, or it does not know the key
│   ├── WorkerDiedError                 it ended: exit code and likely cause
│   └── WorkerTimeoutError (TimeoutError)   no answer in time (multiprocessing's TimeoutError too)
├── ConformanceError (AssertionError)   an environment violates Gymnasium's contract, with the rule
└── MissingExtraError (ImportError)     an optional dependency, and how to install it
```

A message says what was expected, what came, where, and how to mend it.
"""

from __future__ import annotations

import difflib
import multiprocessing
from collections.abc import Iterable

from gymnasium.error import AlreadyPendingCallError, ClosedEnvironmentError, NoAsyncCallError

__all__ = [
    "ActionError",
    "AuthenticationError",
    "ClosedError",
    "ColumnError",
    "ConfigError",
    "ConformanceError",
    "DataError",
    "DataFileError",
    "EpisodeError",
    "ExhaustedError",
    "FeatureError",
    "LookAheadError",
    "MessageError",
    "MissingExtraError",
    "NoPendingCallError",
    "PendingCallError",
    "PriceError",
    "SamplingError",
    "SharedMemoryError",
    "SpaceMismatchError",
    "StrategyError",
    "TimestampError",
    "TooFewBarsError",
    "UnknownNameError",
    "VecbtError",
    "WorkerDiedError",
    "WorkerError",
    "WorkerTimeoutError",
]


class VecbtError(Exception):
    """Raised for anything that vecbt refuses or that fails in its care: the root of the tree."""


class ConfigError(VecbtError, ValueError):
    """Raised when a setting is invalid, or when settings do not go together."""


class UnknownNameError(ConfigError):
    """Raised when a name is not one of the known ones; the message suggests the nearest.

    Example:
        >>> raise UnknownNameError.of("reward", "log_retrun", ["log_return", "pnl"])
        Traceback (most recent call last):
        ...
        vecbt.errors.UnknownNameError: unknown reward 'log_retrun': did you mean 'log_return'? Known: log_return, pnl
    """

    @classmethod
    def of(cls, what: str, name: object, known: Iterable[str]) -> UnknownNameError:
        """An error for ``name``, which was to be one of ``known``."""
        known = sorted(known)
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return cls(f"unknown {what} {name!r}: {hint}Known: {', '.join(known)}")


class DataError(VecbtError, ValueError):
    """Raised when data cannot be used as they are.

    Attributes:
        source: The file, or what stands for it (``"DataFrame"``).
        row: Number of the offending row, counted as the user would: lines of a text file from 1 (banner and header
            included), rows of a frame from 0. None when no single row is to blame.
        column: Name of the offending column, or None.
    """

    def __init__(
        self, message: str, *, source: str | None = None, row: int | None = None, column: str | None = None
    ) -> None:
        self.message = message
        self.source, self.row, self.column = source, row, column
        super().__init__(message, source, row, column)

    def __str__(self) -> str:
        where = [str(self.source)] if self.source is not None else []
        if self.row is not None:
            where.append(f"row {self.row}")
        if self.column is not None:
            where.append(f"column {self.column!r}")
        return f"{', '.join(where)}: {self.message}" if where else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # BaseException pickles by calling cls(*args); the keyword-only arguments need help.
        fields = (type(self), self.message, self.source, self.row, self.column)
        return _rebuild_data_error, fields, self.__dict__  # which holds the notes too


def _rebuild_data_error(
    cls: type[DataError], message: str, source: str | None, row: int | None, column: str | None
) -> DataError:
    return cls(message, source=source, row=row, column=column)


class DataFileError(DataError):
    """Raised when a file is missing, empty, or unreadable as a whole."""


class ColumnError(DataError):
    """Raised when columns are missing or too many, or a cell is no number."""


class TimestampError(DataError):
    """Raised for unreadable, unsorted, duplicate, ambiguous or nonexistent time stamps, and for mixed time zones."""


class PriceError(DataError):
    """Raised for a price that is NaN, infinite or not positive, and for a high or low that does not bound its bar."""


class TooFewBarsError(DataError):
    """Raised when there are fewer bars than one episode needs."""


class FeatureError(VecbtError, ValueError):
    """Raised when a feature expression cannot be parsed or computed."""


class SamplingError(VecbtError, ValueError):
    """Raised when no trial or no episode satisfies the sampling rules; the message counts what each rule rejected."""


class ExhaustedError(SamplingError):
    """Raised when the trials of a domain are used up: by one after the other, or by global time."""


class ActionError(VecbtError, ValueError):
    """Raised for an action that is not in the action space; the message names the environment."""


class EpisodeError(VecbtError, RuntimeError):
    """Raised when a call does not fit the state of the episodes: a step before a reset, or after an episode's end."""


class LookAheadError(VecbtError, IndexError):
    """Raised when a strategy reads a bar that it cannot know yet."""


class StrategyError(VecbtError, RuntimeError):
    """Raised when a strategy does what an environment cannot allow."""


class SpaceMismatchError(VecbtError, RuntimeError):
    """Raised when environments that are to be a batch have different spaces."""


class PendingCallError(VecbtError, AlreadyPendingCallError):
    """Raised for a call while another one is still under way."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message, name)


class NoPendingCallError(VecbtError, NoAsyncCallError):
    """Raised when a result is waited for that nobody has asked for."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message, name)


class ClosedError(VecbtError, ClosedEnvironmentError, RuntimeError):
    """Raised when something is used after it was closed."""


class SharedMemoryError(VecbtError, MemoryError):
    """Raised when the system cannot provide memory that processes are to share; the message says how much and why."""


class MessageError(VecbtError, ValueError):
    """Raised for bytes that are no message: malformed, too long, of an unknown kind, or with other fields than its."""


class WorkerError(VecbtError, RuntimeError):
    """Raised when something went wrong in another process, with that process's traceback in the message or cause."""


class AuthenticationError(WorkerError):
    """Raised when a process at the other end of a socket is another user's, or does not know the key."""


class WorkerDiedError(WorkerError):
    """Raised when a process ended before its work was done; the message gives its exit code and the likely cause."""


class WorkerTimeoutError(WorkerError, multiprocessing.TimeoutError, TimeoutError):
    """Raised when a process did not answer in time."""


class ConformanceError(VecbtError, AssertionError):
    """Raised when an environment violates a rule of Gymnasium's contract; the message names the rule."""


class MissingExtraError(VecbtError, ImportError):
    """Raised when an optional dependency is missing; the message says what to install."""

    @classmethod
    def of(cls, what: str, package: str, extra: str) -> MissingExtraError:
        """An error for ``what``, which needs ``package`` of the optional dependencies ``extra``."""
        return cls(f'{what} needs {package}, which is not installed: pip install "vecbt[{extra}]"')
