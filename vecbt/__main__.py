"""``python -m vecbt`` and the ``vecbt`` command."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; says what to install where that is missing."""
    missing = [name for name in ("tyro", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f'The vecbt command needs {" and ".join(missing)}: pip install "vecbt[cli]"')
    from vecbt.cli import run

    try:
        try:
            run()
        finally:
            sys.stdout.flush()  # what is still buffered would fail later, where nobody can catch it
    except BrokenPipeError:  # the reader has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        sys.exit(128 + signal.SIGPIPE)  # as a shell tells of a process that the signal has ended


if __name__ == "__main__":
    main()
