"""Mail of a paused lane that is moved to its backup, while people and attempts act on the queue."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from graphrelay.model import Done, Lane, Paused, Plan, QueueEntry, StorageUnavailable
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.relay.queue.backup import TakeOver
from graphrelay.relay.queue.manager import QueueManager
from graphrelay.spool.changes import Changed, Move
from tests.clock import settle
from tests.relay.delivery import ALERTS, FULL, LANE, Post, running


class Moving(TakeOver):
    """Moves what waits to ALERTS once `gate` is open. It lacks the other parts of a real one."""

    def __init__(self, post: Post) -> None:
        self.spool = post.spool
        self.gate = asyncio.Event()
        self.asked: list[int] = []
        self.trouble: StorageUnavailable | None = None

    def lane(self, lane: Lane, paused: Paused) -> Lane | None:
        return None if lane == ALERTS else ALERTS

    async def move(self, submission_id: int, to: Lane, paused: Paused) -> QueueEntry | None:
        await self.gate.wait()
        self.asked.append(submission_id)
        if self.trouble:
            raise self.trouble
        plan = Plan(route="default", lane=to)
        match await self.spool.change(Move(submission_id, plan, "paused")):
            case Changed((moved,)):
                return moved
        return None


def with_backup() -> tuple[Post, Moving]:
    post = Post()
    take_over = Moving(post)
    post.queue = QueueManager(
        post.spool, post.courier, post.clock, post.journal, DeliveryPolicy(), take_over
    )
    return post, take_over


async def test_what_is_retried_while_it_moves_goes_once() -> None:
    post, take_over = with_backup()
    async with running(post):
        post.graph.say(FULL)
        post.take(1)
        await settle()  # 1 has been returned, and is being moved to the other lane
        post.graph.gate = asyncio.Event()
        post.take(2)
        await post.queue.retry_now(2)
        await post.queue.retry_now(1)
        await settle()
        take_over.gate.set()
        await settle()
        assert sum(view.waiting for view in await post.queue.lanes()) == 2
        post.graph.gate.set()
        await settle()
        assert len(post.graph.sent) == 3
        assert post.spool.state(1) == post.spool.state(2) == Done("relayed")


async def test_what_its_own_lane_has_sent_while_it_was_to_move_goes_once() -> None:
    post, take_over = with_backup()
    async with running(post):
        post.graph.say(replace(FULL, retry_after=timedelta(seconds=1)))
        post.take(1)
        await settle()
        await post.clock.advance(timedelta(minutes=5))  # a token that is slow to come
        take_over.gate.set()
        await settle()
        assert take_over.asked == [1]
        assert post.graph.order == [LANE.mailbox, LANE.mailbox]
        assert await post.queue.lanes() == []


async def test_a_message_that_moves_is_not_started_in_its_own_lane() -> None:
    post, take_over = with_backup()
    async with running(post):
        post.graph.say(FULL)
        post.take(1, 2, 3)
        await settle(3)
        take_over.gate.set()
        await settle(100)
        await post.clock.advance(timedelta(minutes=15))
        assert post.graph.order.count(ALERTS.mailbox) == 1
        assert len(post.graph.sent) == 4
        assert all(post.spool.state(number) == Done("relayed") for number in (1, 2, 3))


async def test_what_is_released_in_a_paused_lane_moves_too() -> None:
    post, take_over = with_backup()
    take_over.gate.set()
    async with running(post):
        post.take(1)
        await post.queue.hold(1, "ask first")
        await settle()
        post.graph.say(FULL)
        post.take(2)
        await settle()
        assert post.graph.order == [LANE.mailbox, ALERTS.mailbox]
        assert isinstance(await post.queue.release(1), Changed)
        await settle()
        assert post.graph.order == [LANE.mailbox, ALERTS.mailbox, ALERTS.mailbox]


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
        [view] = await post.queue.lanes()
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
