"""What the pages say: in templates/ and in one module, and nowhere else."""

import ast
import re
from pathlib import Path

import pytest

from graphrelay import console
from graphrelay.console import texts

FOLDER = Path(console.__file__).parent


def test_a_question_names_what_it_is_about() -> None:
    for asked in texts.QUESTIONS.values():
        assert "{on}" in asked.title
    assert (texts.messages(1), texts.messages(1_200)) == ("1 message", "1,200 messages")


FOR_PROGRAMS = FOLDER / "metrics"
MODULES = [
    path
    for path in sorted(FOLDER.rglob("*.py"))
    if path != Path(texts.__file__) and FOR_PROGRAMS not in path.parents
]
SENTENCE = re.compile(r"[^a-z\W].* .*[.?!]\s*", re.DOTALL)
"""It begins with a capital letter, has a space, and ends."""


@pytest.mark.parametrize("path", MODULES, ids=lambda one: str(one.relative_to(FOLDER)))
def test_no_module_has_a_sentence_of_its_own(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    own = [
        text
        for node in ast.walk(tree)
        if node not in docstrings and (text := written(node)) and SENTENCE.fullmatch(text)
    ]
    assert own == []


def written(node: ast.AST) -> str:
    """The text of a string; an `X` where it has a value."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(written(one) or "X" for one in values)
    return ""


def test_the_script_says_nothing() -> None:
    script = (FOLDER / "static" / "console.js").read_text("utf-8")
    lines = (line for line in script.splitlines() if not line.lstrip().startswith("//"))
    code = re.sub(r"/\*.*?\*/", "", "\n".join(lines))
    said = re.findall(r"""(["'`])((?:(?!\1).)*)\1""", code)
    assert [text for _, text in said if re.match("[A-Z][a-z]+( |$)", text)] == []
