"""Every promise in docs/fidelity.md has a test."""

import re

from tests.tools import ROOT

PAGE = (ROOT / "docs" / "fidelity.md").read_text("utf-8")


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:relay|mime|e2e)/(?:\w+/)*test_\w+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 70
    for file, name in named:
        text = (ROOT / "tests" / file).read_text("utf-8")
        assert f"def {name}(" in text, f"{file}::{name}"


def test_every_line_of_its_tables_names_a_test_or_promises_nothing() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
    promising = [row for row in rows if not row.startswith("| what |")]
    assert len(promising) > 50
    for row in promising:
        assert "::test_" in row or "| the same |" in row or "| lost;" in row, row
