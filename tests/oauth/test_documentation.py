"""docs/scenarios.md agrees with the tables that it explains."""

import re
from pathlib import Path

from graphrelay.oauth.entra.refusals import BY_ERROR, BY_SUBERROR, CLASSES
from graphrelay.oauth.scenario import SCENARIO_NAMES
from graphrelay.oauth.tokens.status import WORDS

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text("utf-8")


def test_every_class_of_refusal_is_in_the_table() -> None:
    kinds = {row.kind for row in CLASSES} | {kind for kind, _ in BY_ERROR.values()}
    kinds |= {*BY_SUBERROR.values(), "credential-unreadable", "replayed", "other"}
    told = set(re.findall(r"`([a-z-]+)`", PAGE.split("## Every refusal")[1]))
    assert kinds <= told, kinds - told


def test_the_numbers_in_the_table_are_of_their_class() -> None:
    by_kind = {row.kind: row.codes for row in CLASSES}
    rows = re.findall(r"^\| `([a-z-]+)`[^|]*\| ([^|]*) \|", PAGE, re.MULTILINE)
    for kind, numbers in rows:
        for number in re.findall(r"\d{5,}", numbers):
            if kind in by_kind and kind not in ("scope", "code-expired"):
                assert int(number) in by_kind[kind], (kind, number)


def test_every_scenario_and_every_word_of_status_is_explained() -> None:
    for name in SCENARIO_NAMES.values():
        assert f"## `{name}`" in PAGE
    for word in WORDS.values():
        assert f"| **{word}** |" in PAGE
