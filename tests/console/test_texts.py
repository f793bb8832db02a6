"""What the pages say: in templates/ and in one module, and nowhere else."""

import ast
from pathlib import Path

import pytest

from graphrelay import console
from graphrelay.console import texts

FOLDER = Path(console.__file__).parent


def test_a_question_names_what_it_is_about() -> None:
    for asked in texts.QUESTIONS.values():
        assert "{on}" in asked.title
    assert (texts.messages(1), texts.messages(1_200)) == ("1 message", "1,200 messages")


FOR_PROGRAMS = "monitoring.py"
PAGES = [path for path in sorted((FOLDER / "pages").glob("*.py")) if path.name != FOR_PROGRAMS]


@pytest.mark.parametrize("path", PAGES, ids=lambda one: one.name)
def test_no_page_answers_with_a_sentence_of_its_own(path: Path) -> None:
    """An argument `text`, `title` or `said` is never written there."""
    own = [
        ast.unparse(keyword.value)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg in ("text", "title", "said")
        and isinstance(keyword.value, ast.Constant | ast.JoinedStr)
        and keyword.value != ast.Constant("")
    ]
    assert own == []
