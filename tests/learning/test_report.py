from __future__ import annotations

import pytest

from bench.learning.report import PAGE, render


def test_the_page_shows_the_measured_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert render(text) == text


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places for 'walk'"):
        render("<!-- results: sine -->\n<!-- end -->")
