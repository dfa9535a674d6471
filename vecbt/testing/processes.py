"""Processes that measure at the same time."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from vecbt.errors import WorkerError
from vecbt.shm.byvalue import ByValue
from vecbt.shm.process import behave_as_child, get_context, start_process

__all__ = ["MakeRate", "RateProcesses"]

MakeRate: TypeAlias = Callable[[int], Callable[[Any], float]]
"""Given the number of a process, makes the function that takes a measurement; runs in that process."""


class RateProcesses:
    """The sum of what several processes get done in a second, all of them at once.

    Args:
        make: Makes what each process measures with.
        count: Number of processes.

    Example:
        >>> with RateProcesses(lambda number: lambda question: number + question, count=2) as processes:
        ...     processes.rate(10.0)
        21.0
    """

    def __init__(self, make: MakeRate, count: int) -> None:
        context, carrier = get_context(), ByValue(make)
        self._processes: list[Any] = []
        self._pipes: list[Connection] = []
        for number in range(count):
            ours, theirs = context.Pipe()
            arguments, name = (theirs, carrier, number), f"vecbt-rate-{number}"
            process = start_process(context, _measure_forever, arguments, name, daemon=False)  # it may have workers
            theirs.close()
            self._processes.append(process)
            self._pipes.append(ours)

    def rate(self, question: Any) -> float:
        """Measure in all processes at once.

        Args:
            question: What each process is asked to measure.

        Raises:
            WorkerError: If a process has ended.
        """
        try:
            for pipe in self._pipes:
                pipe.send(question)
            return float(sum(pipe.recv() for pipe in self._pipes))
        except (EOFError, OSError):
            raise WorkerError("a measuring process has ended; its traceback is on standard error") from None

    def __enter__(self) -> RateProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.join()


def _measure_forever(pipe: Connection, carrier: ByValue, number: int) -> None:
    behave_as_child()
    measure: Callable[[Any], float] = carrier.load()(number)
    while True:
        try:
            question = pipe.recv()
        except EOFError:
            return
        pipe.send(measure(question))
