"""Independent processes that come to a data server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import vecbt

_ROOT = Path(vecbt.__file__).parents[1]


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Run a script that has imported vecbt and been told some arguments, in ``sys.argv[1:]``."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", f"import sys, vecbt\n{code}", *arguments],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[Any]) -> str:
    """What it prints; it must not fail."""
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return str(output).strip()


def run(code: str, *arguments: str) -> str:
    """What a script prints."""
    return finish(start(code, *arguments))
