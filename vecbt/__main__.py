"""``python -m vecbt`` and the ``vecbt`` command."""

from __future__ import annotations

import importlib.util
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; says what to install where that is missing."""
    missing = [name for name in ("tyro", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f'The vecbt command needs {" and ".join(missing)}: pip install "vecbt[cli]"')
    from vecbt.cli import run

    run()


if __name__ == "__main__":
    main()
