from __future__ import annotations

import pytest

from vecbt.cli import run


def test_second_call_compiles_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run(["warmup"])
    capsys.readouterr()
    run(["warmup"])
    assert capsys.readouterr().out.startswith("Everything was in the cache")


def test_says_how_much_it_has_compiled(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from vecbt import warmup
    from vecbt.kernels._jit import Compiled

    monkeypatch.setattr(Compiled, "names", ["something.earlier"])
    monkeypatch.setattr(warmup, "_PARTS", {"a part": lambda: Compiled.names.append("a.function")})
    run(["warmup"])
    assert capsys.readouterr().out.startswith("Functions compiled: 1, in 0.0 s")
