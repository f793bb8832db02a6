"""What a relay says about its lanes is read by the others, and by nobody once it has lost them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from graphrelay.journal import Journal
from graphrelay.model import Lane
from graphrelay.spool.changes import Retry
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.queries import LaneNotes
from graphrelay.spool.values import LaneNote
from tests.clock import FakeClock
from tests.spool.mail import ANNA, a_message, plan, put
from tests.spool.postgres.relays import Watcher, a_relay, mail_in_every_lane, settled
from tests.spool.postgres.test_leases import held
from tests.spool.postgres_server import PostgresServer


@pytest.fixture
async def other(
    database: str, clock: FakeClock, journal: Journal, spool: PostgresSpool
) -> AsyncIterator[PostgresSpool]:
    async with a_relay(database, clock, journal, "b") as other:
        yield other


@pytest.fixture
async def mine(spool: PostgresSpool, other: PostgresSpool) -> Lane:
    """A lane of the first relay; both have some."""
    await mail_in_every_lane(spool)
    await settled(spool, other)
    return min(held(spool))


async def noting(spool: PostgresSpool, *notes: LaneNote) -> Watcher:
    watcher = Watcher()
    watcher.noted = list(notes)
    spool.watch(watcher)
    await spool.renew()
    return watcher


async def test_another_relay_reads_the_note_by_its_own_clock(
    spool: PostgresSpool, other: PostgresSpool, clock: FakeClock, mine: Lane
) -> None:
    until = clock.now() + timedelta(minutes=5)
    note = LaneNote(lane=mine, text='{"state": "quota"}', wakes_at=until)
    await noting(spool, note)
    assert await spool.read(LaneNotes()) == [], "its own lanes it knows itself"
    [found] = await other.read(LaneNotes())
    assert found.wakes_at
    assert abs(found.wakes_at - until) < timedelta(seconds=2)
    assert replace(found, wakes_at=until) == replace(note, host="a")


async def test_a_note_follows_and_goes(
    spool: PostgresSpool, other: PostgresSpool, mine: Lane
) -> None:
    watcher = await noting(spool, LaneNote(lane=mine, text="one", wakes_at=None))
    watcher.noted = [LaneNote(lane=mine, text="two", wakes_at=None)]
    await spool.renew()
    assert [one.text for one in await other.read(LaneNotes())] == ["two"]
    watcher.noted = []
    await spool.renew()
    assert await other.read(LaneNotes()) == []


async def test_a_note_that_has_not_changed_is_not_written_again(
    spool: PostgresSpool, postgres_server_of_all: PostgresServer, mine: Lane
) -> None:
    await noting(spool, LaneNote(lane=mine, text="one", wakes_at=None))
    postgres_server_of_all.execute("DELETE FROM graphrelay.lane_notes")
    await spool.renew()
    assert postgres_server_of_all.execute("SELECT * FROM graphrelay.lane_notes") == []


async def test_the_note_of_a_relay_that_has_lost_the_lane_is_not_read(
    spool: PostgresSpool,
    other: PostgresSpool,
    postgres_server_of_all: PostgresServer,
    mine: Lane,
) -> None:
    await noting(spool, LaneNote(lane=mine, text="old", wakes_at=None))
    postgres_server_of_all.execute("UPDATE graphrelay.lanes SET owner = 'somebody else'")
    assert await other.read(LaneNotes()) == []


async def test_the_owner_hears_that_another_relay_was_asked_for_a_retry(
    spool: PostgresSpool, other: PostgresSpool, mine: Lane
) -> None:
    theirs = min(held(other))
    watcher = await noting(other)
    [one] = await put(spool, message=a_message((plan(theirs), (ANNA,))))
    assert ("probe", theirs) not in watcher.told
    await spool.change(Retry(one.id))
    await watcher.hears("probe", theirs)
    await other.renew()
    assert watcher.told.count(("probe", theirs)) == 1
