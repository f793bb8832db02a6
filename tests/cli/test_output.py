"""How listings look, whatever the terminal can show."""

import asyncio
import time
from pathlib import Path

import pytest

from graphrelay.cli import output
from tests.cli.test_lanes import send
from tests.e2e.commands import graphrelay
from tests.world import world


@pytest.mark.parametrize(
    ("encoding", "arrow"), [("utf-8", "→"), ("cp1252", "\\u2192"), ("iso-8859-1", "\\u2192")]
)
async def test_a_listing_is_shown_whole_where_the_terminal_has_no_arrow(
    tmp_path: Path, encoding: str, arrow: str
) -> None:
    async with world(tmp_path) as here:
        await asyncio.to_thread(send, here, 2)
        await here.until(lambda: len(here.events("relayed")) == 2)
        shown = await graphrelay(here.config, "log", PYTHONIOENCODING=encoding)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.count(f"wp@contoso.com {arrow} anna@example.org") == 2


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("Europe/Berlin", "2026-11-23 13:00:00 CET"), ("UTC", "2026-11-23 12:00:00 UTC")],
)
def test_a_time_is_shown_with_its_zone(
    monkeypatch: pytest.MonkeyPatch, zone: str, shown: str
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", zone)
        time.tzset()
        assert output.local_time("2026-11-23T12:00:00+00:00") == shown
    time.tzset()
