"""The ``vecbt`` command."""

from __future__ import annotations

import sys
from typing import Any

import tyro

from vecbt.cli.bench import Bench
from vecbt.cli.check import Check
from vecbt.cli.demo import Demo
from vecbt.cli.replay import Replay
from vecbt.cli.report import Report
from vecbt.cli.train import Train, parse_train
from vecbt.cli.warmup import Warmup
from vecbt.errors import VecbtError

__all__ = ["run"]


def run(arguments: list[str] | None = None) -> None:
    """Parse the command line and run its command; an error of vecbt's own ends it with the error's message.

    Args:
        arguments: The arguments; those of the process by default.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        _parse(given).run()
    except VecbtError as error:
        sys.exit(f"vecbt: {error}")


def _parse(arguments: list[str]) -> Any:
    if arguments[:1] == ["train"]:
        return parse_train(arguments[1:])
    return tyro.extras.subcommand_cli_from_dict(
        {
            "demo": Demo,
            "train": Train,
            "report": Report,
            "replay": Replay,
            "bench": Bench,
            "check": Check,
            "warmup": Warmup,
        },
        prog="vecbt",
        description="Vectorized reinforcement-learning environments on Backtrader.",
        args=arguments,
    )
