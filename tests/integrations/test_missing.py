"""What is said where an integration's library is not installed."""

from __future__ import annotations

import sys

import pytest

from vecbt.errors import MissingExtraError


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "vecbt.integrations.sb3", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "stable_baselines3"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)  # importing it fails
    with pytest.raises(MissingExtraError, match=r'needs stable-baselines3, .*: pip install "vecbt\[sb3\]"$'):
        import vecbt.integrations.sb3  # noqa: F401
