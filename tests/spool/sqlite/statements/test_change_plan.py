"""What waits joins another lane, with another plan."""

from datetime import timedelta

from graphrelay.model import Lane, Plan, Waiting
from graphrelay.spool import Event, QueueFilter, Spool
from tests.spool.mail import NOON, put

ALERTS = Lane("alerts", "info@contoso.com")
PLAN = Plan(route="default", lane=ALERTS, from_address="info@contoso.com")


async def test_it_waits_in_the_other_lane_and_says_why(spool: Spool) -> None:
    (one,) = await put(spool)
    await spool.retry_now(one.id, NOON + timedelta(hours=1))

    moved = await spool.move(one.id, PLAN, "paused")

    assert isinstance(moved, Waiting)
    assert (moved.lane, moved.not_before) == (ALERTS, NOON + timedelta(hours=1))
    assert await spool.waiting() == [moved]
    assert (await spool.load(one.id)).plan == PLAN
    assert [row.submission_id for row in await spool.queue(QueueFilter(account="alerts"))] == [1]
    shown = await spool.show(one.queue_id)
    assert shown is not None
    event = shown.parts[0].history[-1]
    assert isinstance(event, Event)
    assert (event.what, event.reason) == ("moved", "paused")


async def test_what_is_on_its_way_held_or_done_is_left_alone(spool: Spool) -> None:
    (one,) = await put(spool)
    await spool.begin_attempt(one.id, NOON, "c")
    assert await spool.move(one.id, PLAN, "paused") is None
    (held,) = await put(spool)
    await spool.hold(held.id, "no")
    assert await spool.move(held.id, PLAN, "paused") is None
    assert await spool.move(4711, PLAN, "paused") is None
    assert (await spool.load(one.id)).plan == one.plan
