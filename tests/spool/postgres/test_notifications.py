"""Relays hear of each other, and a notification that is lost or foreign harms nobody."""

import json
from collections.abc import AsyncIterator

import pytest

from graphrelay.journal import Journal
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.postgres.notifications import POLL
from graphrelay.spool.values import Take
from tests.clock import FakeClock
from tests.spool.mail import a_message, plan, put
from tests.spool.postgres.relays import (
    LANES,
    LONG,
    Watcher,
    a_relay,
    lane,
    mail_in_every_lane,
    settled,
)
from tests.spool.postgres.test_leases import held
from tests.spool.postgres_server import PostgresServer

_ANNA = a_message().parts[0][1]


@pytest.fixture
async def first(spool: PostgresSpool) -> PostgresSpool:
    return spool


@pytest.fixture
async def second(
    database: str, clock: FakeClock, journal: Journal, first: PostgresSpool
) -> AsyncIterator[PostgresSpool]:
    async with a_relay(database, clock, journal, "second") as spool:
        yield spool


async def test_the_owner_of_a_lane_hears_of_mail_that_another_relay_took(
    first: PostgresSpool, second: PostgresSpool
) -> None:
    watcher = Watcher()
    second.watch(watcher)
    await mail_in_every_lane(first)
    await settled(first, second)
    lane = min(held(second))
    watcher.told.clear()
    (one,) = await put(first, message=a_message((plan(lane), _ANNA)))
    await watcher.hears("changed", lane)
    found = await second.take(Take(lane=lane, limit=16, longest_wait=LONG))
    assert one.id in [due.submission_id for due in found.entries]


@pytest.mark.parametrize(
    "payload", ["", "hello", "[" * 5000, "null", json.dumps({"lane": 7}), json.dumps({"new": []})]
)
async def test_what_another_program_tells_is_left_aside(
    spool: PostgresSpool, postgres_server_of_all: PostgresServer, payload: str
) -> None:
    watcher = Watcher()
    spool.watch(watcher)
    await mail_in_every_lane(spool)
    ours = json.dumps({"lane": [LANES[0].account, LANES[0].mailbox]})
    for told in (payload, ours):
        postgres_server_of_all.execute(f"SELECT pg_notify('graphrelay', '{told}')")
    await watcher.hears("changed", LANES[0])


async def test_a_notification_that_was_lost_costs_no_more_than_a_while(
    spool: PostgresSpool, clock: FakeClock
) -> None:
    await put(spool, message=a_message((plan(lane(0)), _ANNA)))
    watcher = Watcher()
    spool.watch(watcher)
    while ("changed", lane(0)) not in watcher.told:
        await clock.advance(POLL)
