"""One table, which doctor, status, init and the documents use."""

import re
from pathlib import Path

import pytest

from graphrelay.assumptions import SAID, TRIED, Assumption
from tests.doctor.page import rows
from tests.tools import ROOT

PROSE = {
    page: re.sub(r"\s+", " ", (ROOT / "docs" / page).read_text("utf-8"))
    for page in ("scenarios.md", "delivery.md", "operations.md")
}


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
        ("guide/exchange.py", "scope-delay"),
    ],
)
def test_the_program_quotes_the_table(module: str, name: str) -> None:
    """`status`, `init` and the warnings do not have separate texts for it."""
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
