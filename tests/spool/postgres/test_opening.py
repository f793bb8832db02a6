"""A relay says at its start what the server promises."""

import pytest

from graphrelay.journal import Entry, Journal
from tests.clock import FakeClock
from tests.spool.postgres.relays import a_relay


@pytest.mark.parametrize(("asked", "uses"), [("off", "on"), ("remote_apply", "remote_apply")])
async def test_what_a_commit_waits_for_is_reported_at_the_start(
    database: str, clock: FakeClock, journal: Journal, entries: list[Entry], asked: str, uses: str
) -> None:
    url = f"{database}&options=-csynchronous_commit%3D{asked}"
    async with a_relay(url, clock, journal):
        pass
    [shared] = [entry.fields for entry in entries if entry.event == "spool-shared"]
    assert (shared["asked"], shared["synchronous_commit"]) == (asked, uses)
    risks = [entry.fields["setting"] for entry in entries if entry.event == "spool-at-risk"]
    assert risks == ["fsync = off", "full_page_writes = off"]
