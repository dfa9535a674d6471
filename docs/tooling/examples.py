"""What the site needs that the pages do not have: every example as a page of its own.

Pages link to files of the repository, so that they can be read there. On the site such a link leads to a page that
shows the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\(\.\./examples/(\w+)\.py\)")


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each example."""
    for path in sorted((ROOT / "examples").glob("*.py")):
        text = f"# {path.name}\n\n```python\n{path.read_text(encoding='utf-8')}```\n"
        files.append(File.generated(config, f"examples/{path.stem}.md", content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links to examples lead to these pages."""
    return _LINK.sub(r"](examples/\1.md)", markdown)
