"""The pages of the documentation: all are in the site, links lead somewhere, and nothing public is left out."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vecbt.errors import MissingExtraError

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
REFERENCE = sorted((DOCS / "reference").glob("*.md"))
ENTRIES = [name for page in REFERENCE for name in re.findall(r"^::: (\S+)$", page.read_text("utf-8"), re.MULTILINE)]
PUBLIC = ["vecbt", "vecbt.integrations.sb3"]
PUBLIC += [f"vecbt.{name}" for name in ("analysis", "data", "errors", "runs", "spaces", "testing", "training")]
_FENCE = re.compile(r"```.*?```", re.DOTALL)


def test_every_page_has_its_place() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    places = re.findall(r"(\S+\.md)$", settings, re.MULTILINE)
    assert sorted(places) == sorted(str(page.relative_to(DOCS)) for page in PAGES[1:])


def anchors(page: Path) -> set[str]:
    """What a page's headings are called in links to them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", page.read_text(encoding="utf-8")))
    for link in links:
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link
        if page.is_relative_to(DOCS):  # what the site has
            assert target.is_relative_to(DOCS) or target.parent == ROOT / "examples", link


def test_every_example_is_named() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    for example in (ROOT / "examples").glob("*.py"):
        assert f"(../examples/{example.name})" in text, example.name


@pytest.fixture(scope="module")
def documented() -> list[Any]:
    """Everything that the reference shows, but for what needs a library that is not installed."""
    found: list[Any] = []
    for name in ENTRIES:
        try:
            value = pkgutil.resolve_name(name)
        except MissingExtraError:
            continue
        found += [getattr(value, part) for part in value.__all__] if isinstance(value, ModuleType) else [value]
    return found


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_reference(module: str, documented: list[Any]) -> None:
    with contextlib.suppress(MissingExtraError):
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if not isinstance(value, ModuleType | str):
                assert any(value is one for one in documented), f"{module}.{name}: put it on a page of docs/reference"


def test_nothing_is_in_the_reference_twice() -> None:
    assert len(ENTRIES) > 40
    assert len(ENTRIES) == len(set(ENTRIES))


@pytest.mark.slow
def test_the_site(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason='needs pip install ".[docs]"')
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path / "site"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    text = "".join(page.read_text(encoding="utf-8") for page in (tmp_path / "site").rglob("*.html"))
    for name in ENTRIES:
        assert f'id="{name}"' in text, name
    # It can be read without a network.
    assert not re.findall(r'<(?:script|img)[^>]+src="?(?:https?:)?//|<link[^>]+href="?(?:https?:)?//', text)
