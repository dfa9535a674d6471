from __future__ import annotations

from importlib.util import find_spec

# Its learner needs large libraries: `pip install ".[train]"`.
_LEARNS = all(find_spec(name) for name in ("torch", "stable_baselines3", "tensorboard"))
collect_ignore = [] if _LEARNS else ["test_learning.py", "test_report.py"]
