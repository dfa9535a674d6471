"""The ``vecbt`` command."""

from __future__ import annotations

import sys

import tyro

from vecbt.cli.bench import Bench
from vecbt.cli.check import Check
from vecbt.cli.demo import Demo
from vecbt.cli.warmup import Warmup
from vecbt.errors import VecbtError

__all__ = ["run"]


def run(arguments: list[str] | None = None) -> None:
    """Parse the command line and run its command; an error of vecbt's own ends it with the error's message.

    Args:
        arguments: The arguments; those of the process by default.
    """
    command = tyro.extras.subcommand_cli_from_dict(
        {"demo": Demo, "bench": Bench, "check": Check, "warmup": Warmup},
        prog="vecbt",
        description="Vectorized reinforcement-learning environments on Backtrader.",
        args=arguments,
    )
    try:
        command.run()
    except VecbtError as error:
        sys.exit(f"vecbt: {error}")
