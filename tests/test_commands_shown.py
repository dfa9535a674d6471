"""Every command that the documentation shows can be given: subcommands, flags and extras are what they are."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import vecbt.cli
from tests.test_site import PAGES, ROOT

FILES = dict(
    match
    for page in PAGES
    for match in re.findall(r"```toml\n# (\S+\.toml)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
)
"""Files that pages show, by the name in their first line."""


def shown() -> Iterator[str]:
    """All commands in blocks of a shell, and those in running text."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                yield from (part.strip() for part in line.split("&&") if part.strip())
        yield from re.findall(r"`((?:vecbt [a-z]|pip install )[^`]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


COMMANDS = sorted({re.sub(r"\s+", " ", re.sub(r"\s+#.*", "", command)) for command in shown()})


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 12


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("vecbt ")])
def test_the_command_line_knows_it(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    ran = []
    for part in vars(vecbt.cli).values():
        if isinstance(part, type) and hasattr(part, "run"):
            monkeypatch.setattr(part, "run", lambda command: ran.append(command))
    arguments = shlex.split(command)[1:]
    if "--help" in arguments:
        with pytest.raises(SystemExit, match=r"^0$"):
            vecbt.cli.run(arguments)
    else:
        vecbt.cli.run(arguments)
        assert len(ran) == 1


@pytest.mark.parametrize("command", [command for command in COMMANDS if "pip install" in command])
def test_what_is_installed_exists(command: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for names in re.findall(r"\[([\w,]+)\]", command):
        assert set(names.split(",")) <= set(extras)


@pytest.mark.parametrize("command", [command for command in COMMANDS if "python -m" in command])
def test_what_is_run_exists(command: str) -> None:
    (module,) = re.findall(r"python -m ([\w.]+)", command)
    path = ROOT.joinpath(*module.split("."))
    assert module in ("pytest", "venv") or path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
