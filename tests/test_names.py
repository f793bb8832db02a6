"""Two things never share a name, and docs/glossary.md names what exists.

The sandbox and sendmail run in processes of their own and may use a name again. Journal events are
named as they appear in a line, so `events.Relayed` records a `Relayed`; outside of the journal they
are always written with their module.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools import ROOT

PACKAGE = ROOT / "graphrelay"
EVENTS = PACKAGE / "journal" / "events.py"
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")


def modules(*, apart: bool) -> Iterator[tuple[Path, ast.Module]]:
    """The program's modules; with `apart` also those of other processes."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if apart or path.relative_to(PACKAGE).parts[0] not in ("sandbox", "sendmail"):
            yield path, ast.parse(path.read_text("utf-8"))


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_two_classes_never_share_a_name(engine: str) -> None:
    """The engines of the spool do the same, each in its own way, and are independent of each
    other."""
    other = PACKAGE / "spool" / ("postgres" if engine == "sqlite" else "sqlite")
    places = defaultdict(list)
    for path, tree in modules(apart=False):
        for node in tree.body if other not in path.parents else []:
            if path != EVENTS and isinstance(node, ast.ClassDef) and node.name[0] != "_":
                places[node.name].append(str(path.relative_to(PACKAGE)))
    assert len(places) > 200
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_events_of_the_journal_are_written_with_their_module() -> None:
    by_name = {
        f"{path.relative_to(PACKAGE)}: {alias.name}"
        for path, tree in modules(apart=False)
        if path.parent != EVENTS.parent
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "graphrelay.journal.events"
        for alias in node.names
    }
    assert {one for one in by_name if not one.endswith(": Event")} == set()


def rows(text: str) -> list[list[str]]:
    """The rows of the tables as [term, meaning, source, code]."""
    lines = (line for line in text.splitlines() if line.startswith("| "))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[2] != "source" and not row[0].startswith("---")]


def defined() -> set[str]:
    """Classes, functions, and the methods and members of classes with their class."""
    found = set()
    for _, tree in modules(apart=True):
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(f"{node.name}()")
            elif isinstance(node, ast.ClassDef):
                found.add(node.name)
                found |= {f"{node.name}.{name}" for name in members(node)}
    return found


def members(of: ast.ClassDef) -> Iterator[str]:
    for node in of.body:
        match node:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                yield f"{name}()"
            case ast.Assign([ast.Name(name)]) | ast.AnnAssign(ast.Name(name)):
                yield name


def test_what_the_glossary_names_exists() -> None:
    named = {name for row in rows(GLOSSARY) for name in re.findall(r"`([^`]+)`", row[3])}
    assert len(named) > 70
    assert {name.removeprefix("events.") for name in named} - defined() == set()


def test_the_glossary_has_every_term_once_and_sorted() -> None:
    terms = [row[0] for row in rows(GLOSSARY)]
    assert len(set(terms)) == len(terms)
    for section in GLOSSARY.split("\n## ")[1:]:
        if not section.startswith(("States", "Outcomes")):
            found = [row[0].casefold() for row in rows(section)]
            assert found == sorted(found), section.splitlines()[0]


def test_the_glossary_has_every_outcome_state_and_change_of_the_queue() -> None:
    terms = {row[0] for row in rows(GLOSSARY)}
    assert terms >= {"relayed", "delayed", "failed", "uncertain", "paused"}
    assert terms >= {"queued", "held", "done", "hold", "release", "retry", "delete", "move"}
