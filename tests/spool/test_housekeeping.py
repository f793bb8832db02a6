"""Housekeeping goes on, whatever fails, and the journal says what."""

import asyncio
from datetime import timedelta

from graphrelay.journal import Entry, Journal
from graphrelay.model import StorageUnavailable
from graphrelay.spool.housekeeping import again_and_again
from tests.clock import FakeClock, settle

MINUTE = timedelta(minutes=1)


async def test_it_goes_on_after_a_failure_and_after_a_bug(
    clock: FakeClock, journal: Journal, entries: list[Entry]
) -> None:
    failures, done = [StorageUnavailable("no space"), KeyError("a bug")], 0

    async def work() -> None:
        nonlocal done
        if failures:
            raise failures.pop(0)
        done += 1

    keeping = asyncio.create_task(again_and_again(work, MINUTE, clock, journal))
    await settle()
    for _ in range(3):
        await clock.advance(MINUTE)
    keeping.cancel()
    assert [entry.event for entry in entries] == ["spool-housekeeping", "spool-broke"]
    assert done == 2
