"""The page: what is to be shown, and the script that draws it, in one file."""

from __future__ import annotations

import html
import json
from importlib import resources
from pathlib import Path

from vecbt.analysis.report.content import content_of
from vecbt.errors import MissingExtraError
from vecbt.runs.folder import Run

__all__ = ["write_report"]


def write_report(run: Run, path: Path | None = None) -> Path:
    """Write the report on a run: one HTML page with everything in it, which a browser opens without a network.

    Args:
        run: The run.
        path: The file; by default ``report.html`` in the run's folder.

    Returns:
        The file.

    Raises:
        MissingExtraError: If Plotly, which has the script that draws charts, is not installed.
        DataFileError: If a recording is missing or broken.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("the report", "plotly", "report") from error
    path = run.path / "report.html" if path is None else path
    content = json.dumps(content_of(run), separators=(",", ":"), allow_nan=False)
    files = resources.files("vecbt.analysis.report")
    parts = {
        "title": html.escape(f"{run.path.name}: {run.facts.get('data', {}).get('name', '')}"),
        "style": files.joinpath("style.css").read_text("utf-8"),
        "plotly": get_plotlyjs(),
        "content": content.replace("<", "\\u003c"),  # nothing in it can end the element that it is in
        "script": files.joinpath("charts.js").read_text("utf-8"),
    }
    page = files.joinpath("page.html").read_text("utf-8")
    for name, text in parts.items():
        page = page.replace(f"<!-- {name} -->", text, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path
