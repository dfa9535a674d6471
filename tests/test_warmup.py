"""Whether `vecbt.warmup` knows of everything that is compiled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_nothing_is_left_to_compile() -> None:
    """In a process of its own, in which no other test has compiled anything."""
    command = [sys.executable, "-m", "tests.warmup_jobs"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=280, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
