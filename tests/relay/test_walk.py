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


async def test_the_path_of_a_message_is_about_as_long_as_the_page_says(tmp_path: Path) -> None:
    parts = await walk(tmp_path)
    measured = [figures(part.calls(values=values)) for part in parts for values in (True, False)]
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and " calls in " in line]
    for row, found in zip(rows, measured, strict=True):
        calls, files = numbers(found)
        most_calls, most_files = numbers(row.split("|")[3])
        assert 50 < calls <= most_calls * 1.1, f"{row} measured: {found}"
        assert files <= most_files * 1.1, f"{row} measured: {found}"


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]
