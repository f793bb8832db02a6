"""One table, of which doctor, status, init and the documents speak."""

import re
from pathlib import Path

import pytest

from graphrelay.assumptions import SAID, TRIED, Assumption
from graphrelay.doctor.checks import CHECKS
from tests.tools import ROOT

PAGE = (ROOT / "docs" / "doctor.md").read_text("utf-8")
PROSE = {
    page: re.sub(r"\s+", " ", (ROOT / "docs" / page).read_text("utf-8"))
    for page in ("scenarios.md", "delivery.md", "operations.md")
}


def rows(section: str) -> list[list[str]]:
    """The cells of a section's table."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [cells for cells in found if not cells[0].startswith("---")]


def test_the_checks_are_the_rows_of_the_table_in_its_order() -> None:
    assert [check.name for check in CHECKS] == [*TRIED]


def test_the_page_has_every_check_as_it_is() -> None:
    shown = rows("The checks")
    wanted = [
        [
            f"`{check.name}`",
            check.does,
            check.assumption.assumed,
            check.assumption.otherwise,
            check.must.value,
        ]
        for check in CHECKS
    ]
    assert shown == wanted


def test_the_page_has_what_is_assumed_and_not_tried() -> None:
    wanted = [[one.assumed, one.otherwise] for one in SAID.values()]
    assert rows("Assumed, and not tried") == wanted


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("managed-identity", "scenarios.md"),
        ("initial-domain", "delivery.md"),
        ("scope-delay", "scenarios.md"),
        ("refresh-token", "scenarios.md"),
    ],
)
def test_the_other_pages_say_the_same(name: str, page: str) -> None:
    said = SAID[name].assumed.replace("onmicrosoft.com", "`onmicrosoft.com`")
    assert said.lower() in PROSE[page].lower()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("cli/status.py", "managed-identity"),
        ("oauth/tokens/status.py", "managed-identity"),
        ("cli/status.py", "refresh-token"),
        ("oauth/initial_domain.py", "initial-domain"),
        ("control/verbs/scope.py", "scope-delay"),
        ("cli/guide/exchange.py", "scope-delay"),
    ],
)
def test_the_program_quotes_the_table(module: str, name: str) -> None:
    """`status`, `init` and the warnings have no words of their own for it."""
    text = (ROOT / "graphrelay" / module).read_text("utf-8")
    assert re.search(rf"SAID\[[\"']{name}[\"']\]\.assumed", text)


@pytest.mark.parametrize("one", [*SAID.values(), *TRIED.values()], ids=lambda one: one.name)
def test_a_fact_is_written_in_one_place(one: Assumption) -> None:
    places = [
        path
        for path in Path(ROOT / "graphrelay").rglob("*.py")
        if one.assumed[:60] in path.read_text("utf-8")
    ]
    assert [path.name for path in places] in ([], ["assumptions.py"])


def test_every_test_that_the_page_names_exists() -> None:
    section = PAGE.split("\n## Where both answers are tested\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    assert len(lines) == 20
    for line in lines:
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", line)
        assert named, line
        for file, name in named:
            text = (ROOT / "tests" / file).read_text("utf-8")
            assert f"def {name}(" in text, f"{file}::{name}"
