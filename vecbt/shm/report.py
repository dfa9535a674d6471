"""Exceptions on their way from a worker to the parent."""

from __future__ import annotations

import contextlib
import pickle
import traceback
from collections.abc import Sequence
from typing import NamedTuple

import cloudpickle

from vecbt.errors import WorkerError

__all__ = ["RemoteTraceback", "Report", "SliceError", "reports_of"]


class RemoteTraceback(Exception):  # noqa: N818  (it only carries text)
    """Carries the traceback of another process as text; the cause of the exception that is raised here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class SliceError(Exception):
    """Raised by a slice in which several environments may fail by themselves.

    Attributes:
        errors: Index in the batch and exception of each.
    """

    def __init__(self, errors: Sequence[tuple[int, Exception]]) -> None:
        super().__init__(f"environments {[env for env, _ in errors]} failed")
        self.errors = list(errors)


class Report(NamedTuple):
    """An exception in a form that travels."""

    env: int  # index in the batch, or -1
    kind: str
    message: str
    traceback: str
    exception: bytes | None  # pickled, where that works

    @classmethod
    def of(cls, error: BaseException, env: int) -> Report:
        """The report of an exception."""
        pickled: bytes | None = None
        # cloudpickle takes along classes of a script or notebook; where they came from there, they come back as they
        # were. Not at once, because it also makes copies of classes that the parent could import.
        for dumps in (pickle.dumps, cloudpickle.dumps):
            with contextlib.suppress(Exception):
                pickled = dumps(error)
                pickle.loads(pickled)  # some exceptions pickle but do not unpickle
                break
        else:
            pickled = None
        try:
            message = str(error)
        except Exception as another:
            message = f"(its message raises {type(another).__name__})"
        return cls(env, type(error).__name__, message, "".join(traceback.format_exception(error)), pickled)

    def to_exception(self, where: str) -> BaseException:
        """The exception itself where it could be pickled, else `WorkerError`; its cause is the remote traceback.

        Args:
            where: Who has raised it, for its notes.
        """
        error: BaseException
        if self.exception is not None:
            error = pickle.loads(self.exception)
        else:
            error = WorkerError(f"{self.kind}: {self.message}")
        error.add_note(f"in environment {self.env}, {where}" if self.env >= 0 else f"in {where}")
        error.__cause__ = RemoteTraceback(self.traceback)
        return error


def reports_of(error: Exception, env: int) -> list[Report]:
    """The reports of whatever a slice has raised.

    Args:
        error: The exception.
        env: The environment that the slice was working on, or -1.
    """
    if isinstance(error, SliceError):
        return [Report.of(each, index) for index, each in error.errors]
    return [Report.of(error, env)]
