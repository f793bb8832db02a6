"""Mail of a paused lane that goes by its backup, while people and attempts go on around it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from graphrelay.model import Done, Lane, Paused, Queued, StorageUnavailable, Waiting
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.relay.queue.backup import TakeOver
from graphrelay.relay.queue.manager import QueueManager
from graphrelay.spool.values import Changed
from tests.clock import settle
from tests.relay.delivery import ALERTS, FULL, LANE, Post, running


class Moving(TakeOver):
    """Moves what waits to ALERTS, once `gate` lets it. Not for the other parts of a real one."""

    def __init__(self, post: Post) -> None:
        self.spool = post.spool
        self.gate = asyncio.Event()
        self.asked: list[int] = []
        self.trouble: StorageUnavailable | None = None

    def lane(self, lane: Lane, paused: Paused) -> Lane | None:
        return None if lane == ALERTS else ALERTS

    async def move(self, waiting: Waiting, to: Lane, paused: Paused) -> Waiting | None:
        await self.gate.wait()
        self.asked.append(waiting.submission_id)
        if self.trouble:
            raise self.trouble
        kept = self.spool.kept[waiting.submission_id]
        if kept.mark or not isinstance(kept.state, Queued):
            return None
        kept.submission = replace(kept.submission, plan=replace(kept.submission.plan, lane=to))
        return replace(waiting, lane=to)


def with_backup() -> tuple[Post, Moving]:
    post = Post()
    take_over = Moving(post)
    post.queue = QueueManager(
        post.spool, post.courier, post.clock, post.journal, DeliveryPolicy(), take_over
    )
    return post, take_over


async def test_what_is_retried_while_it_moves_waits_in_one_lane() -> None:
    """In two lanes it would be started twice, and whoever came back second would find nothing in
    flight and end the daemon."""
    post, take_over = with_backup()
    async with running(post):
        post.graph.say(FULL)
        post.take(1)
        await settle()  # 1 came back, and is on its way to the other lane
        post.graph.gate = asyncio.Event()
        post.take(2)
        await post.queue.retry_now(2)
        await post.queue.retry_now(1)
        take_over.gate.set()
        await settle()
        assert [view.waiting for view in post.queue.lanes()] == [1, 1]
        post.graph.gate.set()
        await settle()
        assert post.graph.order == [LANE.mailbox, LANE.mailbox, ALERTS.mailbox]
        assert post.spool.state(1) == post.spool.state(2) == Done("relayed")


async def test_what_is_retried_while_it_moves_and_its_lane_has_gone_meanwhile_goes_once() -> None:
    post, take_over = with_backup()
    async with running(post):
        post.graph.say(replace(FULL, retry_after=timedelta(seconds=1)))
        post.take(1)
        await settle()
        await post.clock.advance(timedelta(minutes=5))  # a token that is slow to come
        assert post.queue.lanes() == []
        assert isinstance(await post.queue.retry_now(1), Changed)
        take_over.gate.set()
        await settle()
        assert post.graph.order == [LANE.mailbox, ALERTS.mailbox]


async def test_what_the_disk_does_not_move_is_asked_of_once_and_goes_its_own_way_later() -> None:
    post, take_over = with_backup()
    take_over.gate.set()
    take_over.trouble = StorageUnavailable("disk full")
    async with running(post):
        post.graph.say(FULL)
        post.take(1)
        await settle()
        post.take(2, 3)
        await settle()
        assert sorted(take_over.asked) == [1, 2, 3]
        assert post.told("not-moved") == ["not-moved"] * 3
        [view] = post.queue.lanes()
        assert (view.state, view.waiting) == ("quota", 3)
        await post.clock.advance(timedelta(minutes=15))
        assert post.graph.order == [LANE.mailbox] * 4


async def test_what_is_in_flight_when_its_lane_is_paused_stays_there() -> None:
    post, take_over = with_backup()
    take_over.gate.set()
    post.graph.gate = asyncio.Event()
    async with running(post):
        post.take(1, 2, 3)
        await settle()
        post.graph.say(FULL)
        post.graph.gate.set()
        await settle()
        assert take_over.asked == [1]
        assert post.graph.order == [LANE.mailbox] * 3 + [ALERTS.mailbox]
