"""The relay dies, or its database does, at the steps that they take together: what was promised is
in the database."""

import asyncio
import json
import os
import random
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
from tests.crash.test_under_load import ROUNDS
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


def emptied(server: PostgresServer) -> None:
    server.execute("DROP SCHEMA IF EXISTS graphrelay CASCADE")


def carried_out(
    crasher: Crasher, wire: Wire, at: int, strike: Callable[[], None], load: str = ""
) -> tuple[Promises, bool]:
    """The work; what was promised, and whether its process was killed."""
    wire.arm(at, strike)
    url = f"postgresql://relay@127.0.0.1:{wire.port}/postgres?sslmode=disable&gssencmode=disable"
    _, promises, killed = crasher.run(url=url, load=load)
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
        found = states(server)
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


def states(server: PostgresServer) -> dict[str, tuple[str, int]]:
    with psycopg.connect(server.url(), options="-csearch_path=graphrelay") as connection:
        rows = connection.execute(_STATES).fetchall()
    assert len({key for key, _, _ in rows}) == len(rows), "a recipient stands in two places"
    return {key.removesuffix("@example.org"): (state, row) for key, row, state in rows}


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
    emptied(server)
    promises, killed = carried_out(crasher, wire, 0, lambda: None)
    assert not killed
    assert promises.ended
    assert wire.steps > 100
    assert all(len(states) == 1 for states in promises.allowed.values())
    await check(server, promises)


def strike_at(who: str, crasher: Crasher, server: PostgresServer) -> Callable[[], None]:
    def kill_relay() -> None:
        first = crasher.told.read_text().splitlines()[0]
        os.kill(json.loads(first)["process"], signal.SIGKILL)

    def kill_database() -> None:
        server.stop(signal.SIGKILL)
        server.start()

    return kill_relay if who == "relay" else kill_database


@pytest.mark.parametrize("who", ["relay", "database"])
async def test_killed_at_a_step_it_has_what_was_promised(
    crasher: Crasher, server: PostgresServer, wire: Wire, who: str
) -> None:
    strike = strike_at(who, crasher, server)
    at, kills, reached = 1, 0, True
    while reached:
        reached = False

        def struck() -> None:
            nonlocal reached
            reached = True
            strike()

        emptied(server)
        promises, killed = carried_out(crasher, wire, at, struck)
        assert killed == (reached and who == "relay")
        await check(server, promises)
        kills += reached
        at += EVERY
    print(f"the {who} was killed at {kills} steps")
    assert kills >= 100 // EVERY


@pytest.mark.parametrize("who", ["relay", "database"])
async def test_killed_again_and_again_under_load_it_has_what_was_promised(
    crasher: Crasher, server: PostgresServer, wire: Wire, who: str
) -> None:
    chance = random.Random(who)
    strike = strike_at(who, crasher, server)
    sure: dict[str, set[str]] = {}
    emptied(server)
    kills, rounds = 0, ROUNDS // 4

    def struck() -> None:
        nonlocal kills
        kills += 1
        strike()

    for number in range(rounds):
        at, load = chance.randrange(1, 1500), f"r{number}"
        promises, _ = carried_out(crasher, wire, at, struck, load)
        await check(server, Promises({**sure, **promises.allowed}))
        sure = {name: {state} for name, (state, _) in states(server).items()}
    print(f"the {who} was killed {kills} times, {len(sure)} messages, 0 lost")
    assert kills > rounds // 2
