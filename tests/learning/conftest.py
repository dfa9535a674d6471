from __future__ import annotations

from importlib.util import find_spec

# Its learner is that of a large library: `pip install ".[sb3]"`.
collect_ignore = [] if find_spec("stable_baselines3") else ["test_learning.py", "test_report.py"]
