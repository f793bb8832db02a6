"""The relay dies, or its database does, at the steps that they take together: what was promised is
in the database."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator

import psycopg
import pytest

from graphrelay.journal import Journal
from graphrelay.model import InlineBody
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.queries import HistoryOf, InFlight
from tests.clock import FakeClock
from tests.crash.conftest import Crasher
from tests.crash.truth import OPEN, WAITS, Promises
from tests.crash.wire import Wire
from tests.crash.work import INLINE_LIMIT, LONG, octets_of
from tests.e2e.kill_nine import free_port
from tests.spool.mail import waiting_in
from tests.spool.postgres_server import PostgresServer, running

EVERY = int(os.environ.get("GRAPHRELAY_CRASH_EVERY", "61"))
"""Of the hundreds of steps, at which something fails: 1 for each."""
_STATES = """SELECT r.address_key, s.id,
        CASE WHEN f.number IS NOT NULL THEN 'in flight'
             WHEN s.state = 'queued' AND s.account = 'other' THEN 'queued elsewhere'
             WHEN s.state = 'queued' AND s.part > 1 AND EXISTS
                 (SELECT FROM log WHERE submission = s.id AND what = 'divided')
                 THEN 'queued apart'
             ELSE s.state END
    FROM submissions s JOIN recipients r ON r.submission = s.id
    LEFT JOIN in_flight f ON f.submission = s.id
    UNION ALL SELECT progress::json->>'id', submission, progress::json->>'attached' FROM drafts
    UNION ALL SELECT draft, submission, 'left' FROM left_drafts"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running(("fsync=off", "full_page_writes=off"), free_port()) as server:
        yield server


@pytest.fixture(scope="module")
def wire(server: PostgresServer) -> Iterator[Wire]:
    assert server.port
    with Wire(server.port) as wire:
        yield wire


def carried_out(
    crasher: Crasher, server: PostgresServer, wire: Wire, at: int, strike: Callable[[], None]
) -> tuple[Promises, bool]:
    """The work on an empty database; what was promised, and whether its process was killed."""
    server.execute("DROP SCHEMA IF EXISTS graphrelay CASCADE")
    wire.arm(at, strike)
    url = f"postgresql://relay@127.0.0.1:{wire.port}/postgres?sslmode=disable&gssencmode=disable"
    _, promises, killed = crasher.run(url=url)
    wire.disarm()
    return promises, killed


async def check(server: PostgresServer, promises: Promises) -> None:
    """What another relay finds when the lease of the first one has ended."""
    if server.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'graphrelay'"):
        server.execute("DELETE FROM graphrelay.relays")
    clock = FakeClock()
    async with PostgresSpool.open(
        server.url(), clock, Journal(clock), inline_limit=INLINE_LIMIT, lease=LONG
    ) as spool:
        await spool.renew()
        with psycopg.connect(server.url(), options="-csearch_path=graphrelay") as connection:
            rows = connection.execute(_STATES).fetchall()
        assert len({key for key, _, _ in rows}) == len(rows), "a recipient stands in two places"
        found = {key.removesuffix("@example.org"): (state, row) for key, row, state in rows}
        for name, allowed in promises.allowed.items():
            assert found.get(name, ("absent", 0))[0] in allowed, (name, found.get(name), allowed)
        assert set(found) <= set(promises.allowed)
        waiting = set(await waiting_in(spool))
        assert waiting == {row for state, row in found.values() if state in WAITS}
        in_flight = {crashed.submission_id for crashed in await spool.read(InFlight())}
        assert in_flight == {row for state, row in found.values() if state == "in flight"}
        for state, row in found.values():
            if state in OPEN:
                await _whole(spool, row)


async def _whole(spool: PostgresSpool, row: int) -> None:
    submission = await spool.load(row)
    shown = await spool.read(HistoryOf(submission.queue_id))
    assert shown is not None
    name, _, size = shown.subject.rpartition(" ")
    body = submission.body
    assert isinstance(body, InlineBody) == (int(size) <= INLINE_LIMIT)
    assert await asyncio.to_thread(body.read, 0, body.size) == octets_of(name, int(size))


async def test_without_failures_everything_is_kept(
    crasher: Crasher, server: PostgresServer, wire: Wire
) -> None:
    promises, killed = carried_out(crasher, server, wire, 0, lambda: None)
    assert not killed
    assert promises.ended
    assert wire.steps > 100
    assert all(len(states) == 1 for states in promises.allowed.values())
    await check(server, promises)


@pytest.mark.parametrize("who", ["relay", "database"])
async def test_killed_at_a_step_it_has_what_was_promised(
    crasher: Crasher, server: PostgresServer, wire: Wire, who: str
) -> None:
    def kill_relay() -> None:
        first = crasher.told.read_text().splitlines()[0]
        os.kill(json.loads(first)["process"], signal.SIGKILL)

    def kill_database() -> None:
        server.stop(signal.SIGKILL)
        server.start()

    strike = kill_relay if who == "relay" else kill_database
    at, kills, reached = 1, 0, True
    while reached:
        reached = False

        def struck() -> None:
            nonlocal reached
            reached = True
            strike()

        promises, killed = carried_out(crasher, server, wire, at, struck)
        assert killed == (reached and who == "relay")
        await check(server, promises)
        kills += reached
        at += EVERY
    print(f"the {who} was killed at {kills} steps")
    assert kills >= 100 // EVERY
