"""A lane belongs to one relay at a time, and a relay that has lost it can change nothing in it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import psycopg
import pytest

from graphrelay.journal import Journal
from graphrelay.model import Done, DraftProgress, Lane, Queued, StorageUnavailable
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.postgres.bodies import Kept
from graphrelay.spool.postgres.connections import Connection, connect
from graphrelay.spool.postgres.leases import preferred
from graphrelay.spool.postgres.statements.put import Deposit
from graphrelay.spool.postgres.writer import Cursors, Job
from graphrelay.spool.queries import InFlight
from graphrelay.spool.values import Take
from tests.clock import FakeClock
from tests.spool.mail import NOON, a_message, entry, plan, put, relayed
from tests.spool.postgres.relays import (
    LANES,
    LONG,
    Watcher,
    a_relay,
    mail_in_every_lane,
    settled,
)
from tests.spool.postgres_server import PostgresServer


@pytest.fixture
async def first(database: str, clock: FakeClock, journal: Journal) -> AsyncIterator[PostgresSpool]:
    async with a_relay(database, clock, journal, "first") as spool:
        yield spool


@pytest.fixture
async def second(
    database: str, clock: FakeClock, journal: Journal, first: PostgresSpool
) -> AsyncIterator[PostgresSpool]:
    async with a_relay(database, clock, journal, "second") as spool:
        yield spool


def held(spool: PostgresSpool) -> set[Lane]:
    return {lane for lane in LANES if spool.sends(lane)}


def seem_dead(server: PostgresServer, host: str) -> None:
    """As if the relay on this host had stood still for longer than its lease."""
    server.execute(f"DELETE FROM graphrelay.relays WHERE host = '{host}'")


async def test_a_new_relay_gets_its_share_and_no_lane_has_two_owners(
    first: PostgresSpool, database: str, clock: FakeClock, journal: Journal
) -> None:
    await mail_in_every_lane(first)
    assert held(first) == set(LANES)
    async with a_relay(database, clock, journal, "second") as second:
        await settled(first, second)
        assert held(first) | held(second) == set(LANES)
        assert not held(first) & held(second)
        assert held(first)
        assert held(second)
        assert set(await second.lanes()) == held(second)
    await settled(first)
    assert held(first) == set(LANES)


async def test_what_changes_while_a_relay_looks_at_the_lanes_makes_it_look_once_more(
    first: PostgresSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, looked, again = first._leases._look, asyncio.Event(), asyncio.Event()

    async def look(connection: Connection) -> None:
        await real(connection)
        if looked.is_set():
            again.set()
        else:
            looked.set()
            first._leases.look_soon()

    for task in first._background:  # which would have it look, too
        task.cancel()
    await asyncio.gather(*first._background, return_exceptions=True)
    monkeypatch.setattr(first._leases, "_look", look)
    looking = asyncio.create_task(first._leases.run())
    async with asyncio.timeout(10):
        await again.wait()
    looking.cancel()


async def test_a_relay_taken_for_dead_can_neither_begin_nor_finish(
    first: PostgresSpool, second: PostgresSpool, postgres_server_of_all: PostgresServer
) -> None:
    await mail_in_every_lane(first)
    await settled(first, second)
    lane = min(held(first))
    begun, waiting = [(await put(first, message=a_message((plan(lane), _ANNA))))[0] for _ in "ab"]
    await first.begin(begun, NOON, "c")
    loaded = await first.load_to_send(entry(waiting))

    seem_dead(postgres_server_of_all, "first")
    await second.renew()

    assert second.sends(lane)
    with pytest.raises(NotQueued):
        await first.begin(loaded, NOON, "d")
    with pytest.raises(NotQueued):
        await first.finish(begun, relayed(), Done("relayed"))
    (interrupted,) = await second.read(InFlight())
    assert interrupted.submission_id == begun.id
    assert interrupted.lane == lane
    assert interrupted.settle_in.total_seconds() > 0
    owned = await second.load(begun.id)
    await second.finish(owned, relayed(), Done("relayed"))
    assert await second.read(InFlight()) == []


async def test_what_a_relay_that_stands_still_has_locked_goes_with_its_lease(
    first: PostgresSpool,
    database: str,
    clock: FakeClock,
    journal: Journal,
    postgres_server_of_all: PostgresServer,
) -> None:
    await mail_in_every_lane(first)
    for task in first._background:
        task.cancel()  # it stands still
    lease = timedelta(seconds=1)
    locking = await connect(database, first._connections.process)
    await locking.execute("SET idle_in_transaction_session_timeout = 0")
    await locking.execute("BEGIN")
    await locking.execute("SELECT FROM lanes FOR UPDATE")
    async with locking, a_relay(database, clock, journal, "second", lease=lease) as second:
        postgres_server_of_all.execute(
            "UPDATE graphrelay.relays SET expires_at = 0 WHERE host = 'first'",
        )
        async with asyncio.timeout(30):
            while held(second) != set(LANES):
                await clock.advance(lease / 4)
                await second.renew()
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            await locking.execute("SELECT 1")


async def test_what_the_database_says_is_held_counts(first: PostgresSpool) -> None:
    watcher = Watcher()
    first.watch(watcher)
    await mail_in_every_lane(first)
    await first.renew()
    watcher.told.clear()
    del first._leases._held[LANES[3]]
    await first.renew()
    assert held(first) == set(LANES)
    assert [lane for what, lane in watcher.told if what == "gained"] == [LANES[3]]


async def test_a_lane_whose_making_was_rolled_back_is_made_by_the_next_mail(
    first: PostgresSpool,
) -> None:
    class Failing:
        doing = "fail"

        def key(self, value: object) -> object:
            return None

        async def send(self, connection: Connection, values: Sequence[object]) -> Cursors:
            return []

        async def answers(
            self, cursors: Cursors, values: Sequence[object]
        ) -> Sequence[BaseException | None]:
            raise psycopg.errors.DiskFull("no space left")

    deposit = Deposit(a_message((plan(LANES[0]), _ANNA)), Kept(b""), NOON)
    putting = first._writer.submit(first._acceptance._together, deposit)
    failing: Job[None, None] = first._writer.submit(Failing(), None)
    with pytest.raises(StorageUnavailable):
        await failing.future
    assert (await putting.future).made == {LANES[0]}


async def test_it_knows_when_it_renews_and_takes_part_again(
    first: PostgresSpool, second: PostgresSpool, postgres_server_of_all: PostgresServer
) -> None:
    watcher = Watcher()
    first.watch(watcher)
    await mail_in_every_lane(first)
    seem_dead(postgres_server_of_all, "first")
    await second.renew()
    assert held(second) == set(LANES)
    await first.renew()
    assert {lane for what, lane in watcher.told if what == "lost"} == set(LANES)
    await settled(second, first)
    assert held(first)
    assert held(first) | held(second) == set(LANES)


async def test_a_relay_that_retires_leaves_at_once_what_is_not_in_flight(
    first: PostgresSpool, second: PostgresSpool
) -> None:
    await mail_in_every_lane(first)
    await settled(first, second)
    lane = min(held(first))
    (begun,) = await put(first, message=a_message((plan(lane), _ANNA)))
    await first.begin(begun, NOON, "c")

    await first.retire()
    await second.renew()

    assert held(first) == set()
    assert held(second) == set(LANES) - {lane}
    assert (await first.take(Take(lane=lane, limit=16, longest_wait=LONG))).entries == ()
    await first.finish(begun, relayed(), Done("relayed"))
    await settled(first, second)
    assert second.sends(lane)


async def test_what_an_earlier_owner_had_in_flight_keeps_no_lane_from_being_left(
    first: PostgresSpool, second: PostgresSpool, postgres_server_of_all: PostgresServer
) -> None:
    await mail_in_every_lane(first)
    await settled(first, second)
    lane = min(held(second))
    (begun,) = await put(second, message=a_message((plan(lane), _ANNA)))
    await second.begin(begun, NOON, "c")
    seem_dead(postgres_server_of_all, "second")
    await first.renew()
    assert first.sends(lane)
    await first.retire()
    await settled(second)
    assert second.sends(lane)
    (interrupted,) = await second.read(InFlight())
    assert interrupted.submission_id == begun.id


async def test_a_request_for_a_draft_is_waited_for_from_the_last_step_on(
    first: PostgresSpool, second: PostgresSpool, postgres_server_of_all: PostgresServer
) -> None:
    await mail_in_every_lane(first)
    await settled(first, second)
    lane = min(held(first))
    (begun,) = await put(first, message=a_message((plan(lane), _ANNA)))
    await first.begin(begun, NOON, "c")
    postgres_server_of_all.execute(
        "UPDATE graphrelay.in_flight SET begun_at = begun_at - 3600000000"
    )
    await first.keep_draft(begun, DraftProgress(id="D-1", sending=True))
    seem_dead(postgres_server_of_all, "first")
    await second.renew()
    (interrupted,) = await second.read(InFlight())
    assert interrupted.settle_in > timedelta(0)


async def test_a_request_is_not_made_by_a_relay_that_stood_still_since_it_asked(
    first: PostgresSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = await put(first, message=a_message((plan(LANES[0]), _ANNA)))
    monkeypatch.setattr(first._leases, "alive", lambda: False)
    with pytest.raises(NotQueued):
        await first.begin(one, NOON, "c")
    monkeypatch.undo()
    await asyncio.gather(*first._transactions.under_way)
    assert await first.begin(await first.load(one.id), NOON, "c") == 2


async def test_what_waits_can_be_changed_by_any_relay(
    first: PostgresSpool, second: PostgresSpool
) -> None:
    await mail_in_every_lane(first)
    await settled(first, second)
    (one,) = await put(first, message=a_message((plan(min(held(first))), _ANNA)))
    await first.begin(one, NOON, "c")
    await first.finish(one, relayed(), Queued(NOON))
    assert (await second.load(one.id)).term == 0
    assert (await first.load(one.id)).term > 0


def test_when_a_relay_leaves_only_its_lanes_get_another_owner() -> None:
    three, two = ["x", "y", "z"], ["x", "z"]
    before = {lane: preferred(lane, three) for lane in LANES}
    after = {lane: preferred(lane, two) for lane in LANES}
    assert set(before.values()) == set(three)
    assert [lane for lane in LANES if before[lane] != after[lane]] == [
        lane for lane in LANES if before[lane] == "y"
    ]


_ANNA = a_message().parts[0][1]
