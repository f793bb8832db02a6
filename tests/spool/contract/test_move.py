"""Waiting mail moves to another lane, with another plan."""

import pytest

from graphrelay.model import Lane, Plan
from graphrelay.spool.changes import Changed, Hold, Move, NotChanged
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.queries import HistoryOf, QueueFilter
from graphrelay.spool.values import HistoryEvent
from tests.spool.mail import NOON, entry, put

ALERTS = Lane("alerts", "info@contoso.com")
PLAN = Plan(route="default", lane=ALERTS, from_address="info@contoso.com")


async def test_it_waits_in_the_other_lane_and_says_why(spool: Spool) -> None:
    (one,) = await put(spool)

    verdict = await spool.change(Move(one.id, PLAN, "paused"))

    assert isinstance(verdict, Changed)
    (moved,) = verdict.submissions
    assert (moved.submission_id, moved.lane) == (one.id, ALERTS)
    assert await spool.lanes() == (ALERTS,)
    assert (await spool.load(one.id)).plan == PLAN
    assert [row.submission_id for row in await spool.read(QueueFilter(account="alerts"))] == [1]
    shown = await spool.read(HistoryOf(one.queue_id))
    assert shown is not None
    event = shown.parts[0].history[-1]
    assert isinstance(event, HistoryEvent)
    assert (event.what, event.reason) == ("moved", "paused")


async def test_what_has_moved_is_not_sent_in_the_lane_that_it_left(spool: Spool) -> None:
    (one,) = await put(spool)
    loaded = await spool.load_to_send(entry(one))
    await spool.change(Move(one.id, PLAN, "paused"))
    with pytest.raises(NotQueued):
        await spool.load_to_send(entry(one))
    with pytest.raises(NotQueued):
        await spool.begin(loaded, NOON, "c")


async def test_what_is_in_flight_held_or_done_is_left_alone(spool: Spool) -> None:
    (one,) = await put(spool)
    await spool.begin(one, NOON, "c")
    (held,) = await put(spool)
    await spool.change(Hold(held.id, "no"))
    for which in (one.id, held.id, 4711):
        assert isinstance(await spool.change(Move(which, PLAN, "paused")), NotChanged)
    assert (await spool.load(one.id)).plan == one.plan
