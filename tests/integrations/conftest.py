from __future__ import annotations

from importlib.util import find_spec

# These libraries are large, and no part of what the tests need elsewhere: `pip install ".[sb3]"`.
collect_ignore = [
    *([] if find_spec("stable_baselines3") else ["test_sb3.py", "test_sb3_functions.py"]),
    *([] if find_spec("torch") and find_spec("array_api_compat") else ["test_torch.py"]),
]
