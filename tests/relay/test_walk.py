"""docs/flow.md follows the code: its files exist, and the path is no longer than it says."""

import re
from pathlib import Path

from tests.relay.walk import figures, walk
from tests.tools import ROOT

PAGE = (ROOT / "docs" / "flow.md").read_text("utf-8")


def test_every_file_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`([a-z_/]+\.py)`", PAGE))
    assert len(named) > 25
    assert {name for name in named if not (ROOT / "graphrelay" / name).is_file()} == set()


async def test_the_path_of_a_message_is_no_longer_than_the_page_says(tmp_path: Path) -> None:
    parts = await walk(tmp_path)
    measured = [figures(part.calls(values=values)) for part in parts for values in (True, False)]
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and " calls in " in line]
    for row, found in zip(rows, measured, strict=True):
        now = row.split("|")[3]
        assert numbers(found) <= numbers(now), f"{row} measured: {found}"
        calls, files = numbers(found)
        assert calls > 50
        assert files <= numbers(now)[1], f"{row} measured: {found}"


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]
