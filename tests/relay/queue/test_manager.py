"""The QueueManager with a fake clock: when each message is sent, and what waits for what."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from graphrelay.model import Done, Held, Queued, QueueEntry, StorageUnavailable, Submission
from graphrelay.oauth.answers import EntraUnreachable, TokenRefused, Unauthorized
from graphrelay.relay.deliver.courier import WITHOUT_DISK
from graphrelay.relay.policy.budget import Limit
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.spool.changes import Changed, NotChanged
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.queries import InFlight
from tests.clock import settle
from tests.relay.delivery import (
    ACCOUNT,
    ALERTS,
    BUSY,
    DENIED,
    FULL,
    INFO,
    LANE,
    LOST,
    REFUSED,
    RELAYED,
    Post,
    ScriptedSpool,
    running,
    submission,
    throttled,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


# The plain way -------------------------------------------------------------------------------


async def test_mail_goes_out_as_soon_as_it_is_added() -> None:
    async with running(Post()) as post:
        post.take(1)
        await settle()
        assert post.spool.state(1) == Done("relayed")
        assert post.queue.in_flight == 0
        assert post.told() == ["attempt", "relayed"]


async def test_mail_that_waited_on_the_disk_goes_out_at_start() -> None:
    post = Post()
    post.spool.put(submission(1))
    async with running(post):
        assert post.spool.state(1) == Done("relayed")


async def test_what_is_added_before_the_start_goes_out_once() -> None:
    post = Post()
    post.take(1)
    async with running(post):
        await settle()
        assert len(post.graph.sent) == 1


async def test_older_mail_goes_first() -> None:
    post = Post()
    now = post.clock.now()
    for number, age in ((1, 5), (2, 60), (3, 1), (4, 30), (5, 90), (6, 10)):
        post.spool.put(submission(number, LANE, now - age * SECOND), now)
    async with running(post):
        await settle()
        attempts = [entry.queue_id for entry in post.events("attempt")]
    assert attempts == ["Q5", "Q2", "Q4", "Q6", "Q1", "Q3"]


async def test_four_at_most_are_in_flight_in_a_lane_and_lanes_do_not_wait_for_each_other() -> None:
    post = Post()
    post.graph.gate = asyncio.Event()
    async with running(post):
        post.take(*range(1, 11))
        post.take(*range(11, 21), lane=INFO)
        await settle()
        assert post.graph.order.count(LANE.mailbox) == 4
        assert post.graph.order.count(INFO.mailbox) == 4
        assert [(view.in_flight, view.waiting) for view in await post.queue.lanes()] == [
            (4, 10)
        ] * 2
        post.graph.gate.set()
        await settle(100)
        assert post.graph.most_in_flight == 8
        assert len(post.graph.sent) == 20


async def test_the_limit_over_all_lanes_is_shared_in_turns() -> None:
    post = Post(DeliveryPolicy(concurrency=3))
    async with running(post):
        post.graph.gate = asyncio.Event()
        post.take(*range(1, 21))
        post.take(21, lane=INFO)
        post.take(31, lane=ALERTS)
        await settle()
        assert post.graph.in_flight == 3
        post.graph.gate.set()
        await settle(200)
        assert len(post.graph.sent) == 22
        assert post.graph.most_in_flight == 3
    assert {INFO.mailbox, ALERTS.mailbox} <= set(post.graph.order[:6])


# Between an answer and the next request ------------------------------------------------------


class SlowDisk:
    """Outcomes reach it when `written` is set; Graph answers on demand."""

    def __init__(self, post: Post) -> None:
        self.written = asyncio.Event()
        self.gate = post.graph.gate = asyncio.Event()
        post.spool.before_finish = lambda number: self.written.wait()


def on_the_wire(post: Post) -> list[str]:
    """Who is, in the order of the attempts; the first that was sent is answered first here."""
    return [str(entry.queue_id) for entry in post.events("attempt")]


async def test_the_next_request_goes_out_before_the_answer_of_the_last_is_on_the_disk() -> None:
    post = Post()
    disk = SlowDisk(post)
    async with running(post):
        post.take(*range(1, 11))
        await settle()
        assert len(post.graph.sent) == 4
        await post.graph.let_go(1)
        await settle()
        assert len(post.graph.sent) == 5
        assert post.spool.outcomes(1) == []
        disk.written.set()


async def test_a_mark_that_cannot_be_written_keeps_no_outcome_from_the_disk() -> None:
    post = Post()
    post.graph.gate = asyncio.Event()

    async def begin(number: int) -> None:
        if number >= 5:
            raise StorageUnavailable("disk full")

    post.spool.before_begin = begin
    async with running(post):
        post.take(*range(1, 6))
        await settle()
        await post.graph.let_go(1)
        await settle()
        assert post.spool.outcomes(1) == ["Relayed"]
        assert len(post.graph.sent) == 4
        post.spool.before_begin = None


async def test_four_requests_and_five_marks_at_most_however_slow_the_disk_is() -> None:
    """After a kill, the marked messages are in doubt: four on the wire, and one being recorded."""
    post = Post()
    disk = SlowDisk(post)
    async with running(post):
        post.take(*range(1, 21))
        await settle()
        for _ in range(3):
            await post.graph.let_go(1)
            await settle()
            assert post.graph.in_flight <= 4
            assert len(await post.spool.read(InFlight())) == 5
        assert post.graph.in_flight == 2
        disk.written.set()
        await settle()
        assert post.graph.in_flight == 4
        disk.gate.set()
        await settle(200)
        assert len(post.graph.sent) == 20
        assert post.graph.most_in_flight == 4


async def test_a_lane_that_has_to_slow_down_sends_nothing_more() -> None:
    post = Post()
    disk = SlowDisk(post)
    async with running(post):
        post.take(*range(1, 21))
        await settle()
        assert post.spool.marked == [1, 2, 3, 4]
        post.graph.say(throttled(100))
        await post.graph.let_go(1)
        await settle()
        [view] = await post.queue.lanes()
        assert (view.state, view.allowed, view.in_flight) == ("resting", 2, 3)
        await post.graph.let_go(3)
        await post.clock.advance(99 * SECOND)
        assert len(post.graph.sent) == 4
        disk.written.set()
        await post.clock.advance(SECOND)
        assert len(post.graph.sent) == 5  # alone, to see
        await post.graph.let_go(1)
        await settle()
        assert post.graph.in_flight == 3
        assert (await post.queue.lanes())[0].allowed == 3


async def test_a_lane_that_stops_while_outcomes_are_written_sends_one_message_to_look() -> None:
    post = Post()
    disk = SlowDisk(post)
    async with running(post):
        post.take(*range(1, 11))
        await settle()
        post.graph.say(FULL)
        await post.graph.let_go(4)
        await post.clock.advance(14 * MINUTE)
        assert len(post.graph.sent) == 4
        await post.clock.advance(MINUTE)
        assert len(post.graph.sent) == 5
        assert len(await post.spool.read(InFlight())) == 5
        disk.written.set()


async def test_an_answer_counts_for_the_budget_before_the_next_request_goes_out() -> None:
    post = Post(DeliveryPolicy(budgets=(Limit("messages", 1, MINUTE),)))
    SlowDisk(post).written.set()
    async with running(post):
        post.take(*range(1, 11))
        await settle()
        await post.graph.let_go(1)
        await settle()
        assert len(post.graph.sent) == 4


async def test_what_is_held_or_deleted_before_its_turn_does_not_go() -> None:
    post = Post()
    post.graph.gate = asyncio.Event()
    async with running(post):
        post.take(*range(1, 7))
        await settle()
        assert isinstance(await post.queue.delete(5, "a mistake"), Changed)
        await post.graph.let_go(1)
        await settle()
        assert isinstance(await post.queue.hold(6, "too late"), NotChanged)
        assert on_the_wire(post) == ["Q1", "Q2", "Q3", "Q4", "Q6"]
        post.take(7)
        await settle()
        assert isinstance(await post.queue.hold(7, "ask first"), Changed)
        post.graph.gate.set()
        await settle()
        assert isinstance(post.spool.state(7), Held)
        assert len(post.graph.sent) == 5


# Trouble -------------------------------------------------------------------------------------


async def test_a_delayed_message_is_tried_again_when_its_time_comes() -> None:
    async with running(Post()) as post:
        post.graph.say(BUSY, BUSY)
        post.take(1)
        await settle()
        assert post.spool.state(1) == Queued(post.clock.now() + 30 * SECOND)
        await post.clock.advance(29 * SECOND)
        assert len(post.graph.sent) == 1
        await post.clock.advance(SECOND)
        assert len(post.graph.sent) == 2
        await post.clock.advance(MINUTE)
        assert post.spool.state(1) == Done("relayed")
        assert post.told() == ["attempt", "delayed", "attempt", "delayed", "attempt", "relayed"]


async def test_retry_after_holds_for_the_whole_lane_and_for_no_other() -> None:
    async with running(Post()) as post:
        post.graph.say(throttled(100))
        post.take(1)
        await settle()
        post.take(2, 3)
        post.take(4, lane=INFO)
        await post.clock.advance(99 * SECOND)
        assert post.graph.order == [LANE.mailbox, INFO.mailbox]
        await post.clock.advance(SECOND)
        assert len(post.graph.sent) == 5


async def test_after_trouble_one_message_goes_ahead_to_see() -> None:
    async with running(Post()) as post:
        post.graph.usually = BUSY
        post.take(*range(1, 5))
        await settle()
        assert len(post.graph.sent) == 4
        post.take(*range(5, 20))
        await post.clock.advance(SECOND)
        assert len(post.graph.sent) == 5
        await post.clock.advance(2 * SECOND)
        assert len(post.graph.sent) == 6
        post.graph.usually = RELAYED
        await post.clock.advance(MINUTE)
        assert all(post.spool.state(number) == Done("relayed") for number in range(6, 20))


async def test_a_dead_cloud_does_not_use_up_everybodys_attempts() -> None:
    async with running(Post()) as post:
        post.graph.usually = BUSY
        post.take(*range(1, 501))
        await post.clock.advance(6 * HOUR)
        assert len(post.graph.sent) < 250
        post.graph.usually = RELAYED
        await post.clock.advance(HOUR)
        await settle(3000)
        assert all(post.spool.state(number) == Done("relayed") for number in range(1, 501))


async def test_a_failed_message_does_not_slow_its_lane() -> None:
    async with running(Post()) as post:
        post.graph.say(REFUSED)
        post.take(1, 2, 3, 4, 5, 6)
        await settle()
        assert post.spool.state(1) == Done("failed", REFUSED.reason)
        assert len(post.graph.sent) == 6
        assert (await post.queue.lanes())[0].state == "open"


async def test_a_message_is_given_up_at_the_end_of_its_lifetime_with_the_last_reason() -> None:
    policy = DeliveryPolicy(lifetime=HOUR, retry_max=timedelta(minutes=10))
    async with running(Post(policy)) as post:
        post.graph.usually = BUSY
        post.take(1)
        await post.clock.advance(59 * MINUTE)
        assert isinstance(post.spool.state(1), Queued)
        await post.clock.advance(2 * MINUTE)
        state = post.spool.state(1)
        assert isinstance(state, Done)
        assert state.reason == "Given up after 1 hour. The last time: Exchange is busy."
        [failed] = post.events("failed")
        assert failed.fields["status"] == "5.4.7"


async def test_an_uncertain_message_is_sent_again_or_held_as_the_policy_says() -> None:
    async with running(Post()) as post:
        post.graph.say(LOST)
        post.take(1)
        await post.clock.advance(MINUTE)
        assert post.spool.outcomes(1) == ["Uncertain", "Relayed"]
    async with running(Post(DeliveryPolicy(on_uncertain="hold"))) as post:
        post.graph.say(LOST)
        post.take(1)
        await post.clock.advance(HOUR)
        assert isinstance(post.spool.state(1), Held)
        assert post.told() == ["attempt", "uncertain", "held"]


# Budgets -------------------------------------------------------------------------------------


async def test_a_budget_that_is_used_up_holds_a_lane_back_and_no_other() -> None:
    budgets = (Limit("messages", 10, MINUTE),)
    async with running(Post(DeliveryPolicy(budgets=budgets))) as post:
        post.take(*range(1, 31))
        post.take(*range(31, 36), lane=INFO)
        await settle(300)
        assert 10 <= post.graph.order.count(LANE.mailbox) <= 13
        assert post.graph.order.count(INFO.mailbox) == 5
        [view] = [view for view in await post.queue.lanes() if view.lane == LANE]
        assert view.state == "budget"
        assert view.reason == "10 messages in a minute are used up"
        assert view.until is not None
        assert post.clock.now() + MINUTE <= view.until <= post.clock.now() + 61 * SECOND
        assert post.told("budget-used-up") == ["budget-used-up"]
        for _ in range(3):
            await post.clock.advance(61 * SECOND)
            await settle(300)
        assert len(post.graph.sent) == 35


async def test_a_lane_remembers_its_budget_after_it_was_empty() -> None:
    budgets = (Limit("recipients", 3, timedelta(days=1)),)
    async with running(Post(DeliveryPolicy(budgets=budgets))) as post:
        post.take(1, 2, 3)
        await post.clock.advance(HOUR)
        assert post.graph.left
        post.take(4)
        await post.clock.advance(HOUR)
        assert len(post.graph.sent) == 3
        [view] = await post.queue.lanes()
        assert [(use.used, use.exhausted_in) for use in view.budgets] == [(3, timedelta(0))]
        await post.clock.advance(timedelta(days=1))
        assert len(post.graph.sent) == 4
        await post.clock.advance(timedelta(days=2))
        assert await post.queue.lanes() == []


# Pauses --------------------------------------------------------------------------------------


async def test_a_full_mailbox_pauses_its_lane_and_says_so_once() -> None:
    async with running(Post()) as post:
        post.graph.say_in(LANE, FULL)
        post.take(1)
        await settle()
        post.take(2, 3)
        post.take(4, lane=INFO)
        await post.clock.advance(HOUR)
        assert post.told("paused", "resumed") == ["paused"]
        assert post.graph.order.count(LANE.mailbox) == 5  # at once, then every 15 minutes
        assert post.spool.state(4) == Done("relayed")
        [view] = [view for view in await post.queue.lanes() if view.lane == LANE]
        assert (view.state, view.waiting) == ("quota", 3)
        post.graph.say_in(LANE, RELAYED)
        await post.clock.advance(15 * MINUTE)
        assert post.told("paused", "resumed") == ["paused", "resumed"]
        assert all(post.spool.state(number) == Done("relayed") for number in (1, 2, 3))


async def test_without_authorization_no_attempt_is_burnt_and_mail_keeps_its_order() -> None:
    async with running(Post()) as post:
        answer = Unauthorized(reason="nobody signed in", remedy="graphrelay authorize website")
        post.graph.without_token[ACCOUNT] = answer
        post.take(1, 2, 3)
        await post.clock.advance(HOUR)
        assert post.graph.sent == []
        assert post.told() == ["paused"]
        [paused] = post.events("paused")
        assert paused.fields["reason"] == 'account "website": nobody signed in'
        assert paused.fields["remedy"] == "graphrelay authorize website"
        assert post.spool.outcomes(1) == []

        del post.graph.without_token[ACCOUNT]
        post.queue.resume(ACCOUNT, "The account was authorized.")
        await settle(100)
        assert post.told("resumed", "relayed") == ["resumed", "relayed", "relayed", "relayed"]
        assert [entry.queue_id for entry in post.events("attempt")] == ["Q1", "Q2", "Q3"]
        assert post.events("resumed")[0].fields["reason"] == "The account was authorized."


async def test_a_lane_without_authorization_looks_by_itself_now_and_then() -> None:
    async with running(Post()) as post:
        refused = TokenRefused(
            error="invalid_grant", kind="expired", remedy="graphrelay authorize x"
        )
        post.graph.without_token[ACCOUNT] = refused
        post.take(1)
        await post.clock.advance(MINUTE)
        del post.graph.without_token[ACCOUNT]
        await post.clock.advance(5 * MINUTE)
        assert post.spool.state(1) == Done("relayed")


async def test_a_lane_waits_for_authorization_longer_than_any_lifetime() -> None:
    async with running(Post()) as post:
        post.graph.without_token[ACCOUNT] = Unauthorized(
            reason="nobody signed in", remedy="authorize"
        )
        post.take(1)
        await post.clock.advance(timedelta(days=6))
        del post.graph.without_token[ACCOUNT]
        post.queue.resume(ACCOUNT, "authorized")
        await settle()
        assert post.spool.state(1) == Done("relayed")


async def test_a_revoked_authorization_does_not_open_a_lane() -> None:
    async with running(Post()) as post:
        post.graph.without_token[ACCOUNT] = Unauthorized(
            reason="nobody signed in", remedy="authorize"
        )
        post.take(1, 2)
        await settle()
        post.queue.resume(ACCOUNT, "changed")
        await settle()
        assert post.told() == ["paused"]
        assert (await post.queue.lanes())[0].state == "authorization"


async def test_another_account_is_not_resumed() -> None:
    async with running(Post()) as post:
        post.graph.say_in(LANE, FULL)
        post.take(1)
        await settle()
        post.queue.resume(ACCOUNT, "authorized")
        post.queue.resume("alerts", "authorized")
        await settle()
        assert len(post.graph.sent) == 1


async def test_entra_out_of_reach_lets_the_lane_rest_without_an_attempt() -> None:
    async with running(Post()) as post:
        unreachable = EntraUnreachable(reason="timeout", retry_after=20 * SECOND)
        post.graph.without_token[ACCOUNT] = unreachable
        post.take(1)
        await settle()
        assert (await post.queue.lanes())[0].state == "resting"
        del post.graph.without_token[ACCOUNT]
        await post.clock.advance(19 * SECOND)
        assert post.graph.sent == []
        await post.clock.advance(SECOND)
        assert post.spool.outcomes(1) == ["Relayed"]


async def test_a_token_that_graph_refuses_stops_the_lane() -> None:
    async with running(Post()) as post:
        post.graph.say(DENIED)
        post.take(1, 2)
        await settle()
        assert post.spool.outcomes(1) == ["Paused"]
        assert post.told("paused") == ["paused"]


# Clocks --------------------------------------------------------------------------------------


async def test_a_clock_set_back_does_not_make_mail_wait() -> None:
    async with running(Post()) as post:
        post.graph.say(BUSY)
        post.take(1)
        await settle()
        post.clock.set_wall_clock(post.clock.now() - timedelta(days=400))
        await post.clock.advance(30 * SECOND)
        assert post.spool.state(1) == Done("relayed")


async def test_mail_from_the_future_waits_no_longer_than_any_other() -> None:
    post = Post()
    later = post.clock.now() + timedelta(days=400)
    post.spool.put(submission(1, LANE, later), later)
    async with running(post):
        await post.clock.advance(HOUR)
        assert post.spool.state(1) == Done("relayed")


async def test_a_clock_that_jumps_ahead_does_not_give_mail_up() -> None:
    async with running(Post()) as post:
        post.graph.say(BUSY, BUSY)
        post.take(1)
        await settle()
        post.clock.set_wall_clock(post.clock.now() + timedelta(days=400))
        await post.clock.advance(2 * MINUTE)
        assert post.spool.state(1) == Done("relayed")


# Restart and shutdown ------------------------------------------------------------------------


async def test_what_was_on_its_way_at_a_crash_is_uncertain() -> None:
    post = Post()
    post.spool.put(submission(1))
    post.spool.put(submission(2))
    await post.spool.begin(submission(1), post.clock.now(), "id")
    async with running(post):
        await settle()
        assert post.spool.outcomes(1) == ["Uncertain"]
        assert post.spool.outcomes(2) == ["Relayed"]
        assert "stopped while" in str(post.events("uncertain")[0].fields["reason"])
        await post.clock.advance(MINUTE)
        assert post.spool.outcomes(1) == ["Uncertain", "Relayed"]


async def test_what_breaks_at_the_recovery_of_one_message_stops_no_other() -> None:
    class Broken(ScriptedSpool):
        async def load(self, submission_id: int, *, kept: bool = False) -> Submission:
            if submission_id == 1:
                raise RuntimeError("a bug")
            return await super().load(submission_id)

    post = Post(spool=Broken())
    for number in (1, 2, 3):
        post.spool.put(submission(number))
    for number in (1, 2):
        await post.spool.begin(submission(number), post.clock.now(), "id")
    async with running(post):
        await post.clock.advance(MINUTE)
        assert post.spool.outcomes(2) == ["Uncertain", "Relayed"]
        assert post.spool.outcomes(3) == ["Relayed"]
        (told,) = post.events("attempt-broke")
        assert told.fields["submission"] == 1
    assert [one.submission_id for one in await post.spool.read(InFlight())] == [1]


async def test_a_disk_that_cannot_be_read_at_the_start_is_read_when_it_can() -> None:
    post = Post()
    post.spool.put(submission(1))
    await post.spool.begin(submission(1), post.clock.now(), "id")
    post.spool.trouble = StorageUnavailable("I/O error")
    async with running(post):
        await post.clock.advance(MINUTE)
        assert post.told("queue-not-read")
        post.spool.trouble = None
        await post.clock.advance(2 * MINUTE)
        assert post.spool.outcomes(1) == ["Uncertain", "Relayed"]


async def test_what_was_on_its_way_at_a_crash_is_held_where_the_policy_says_so() -> None:
    post = Post(DeliveryPolicy(on_uncertain="hold"))
    post.spool.put(submission(1))
    await post.spool.begin(submission(1), post.clock.now(), "id")
    async with running(post):
        await post.clock.advance(HOUR)
        assert isinstance(post.spool.state(1), Held)
        assert post.graph.sent == []


async def test_drain_finishes_what_is_in_flight_and_starts_nothing_more() -> None:
    post = Post()
    post.graph.gate = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(post.queue.run())
        post.take(*range(1, 11))
        await settle()
        drained = tasks.create_task(post.queue.drain(30 * SECOND))
        await settle()
        post.graph.gate.set()
        assert await drained
    assert len(post.graph.sent) == 4
    assert post.spool.state(4) == Done("relayed")
    assert isinstance(post.spool.state(5), Queued)


async def test_drain_cuts_off_what_takes_too_long_and_the_disk_knows_it() -> None:
    post = Post()
    post.graph.gate = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(post.queue.run())
        post.take(1)
        await settle()
        drained = tasks.create_task(post.queue.drain(30 * SECOND))
        await post.clock.advance(30 * SECOND)
        assert not await drained
    [interrupted] = await post.spool.read(InFlight())
    assert interrupted.submission_id == 1


async def test_drain_does_not_wait_for_what_was_cut_off_already() -> None:
    """As when another part of the daemon failed, and its TaskGroup cancelled all the others."""
    post = Post()
    post.graph.gate = asyncio.Event()
    carrying = asyncio.create_task(post.queue.run())
    await settle()
    post.take(1)
    await settle()
    carrying.cancel()
    await asyncio.wait([carrying])
    async with asyncio.timeout(10):
        assert not await post.queue.drain(30 * SECOND)


# Verbs ---------------------------------------------------------------------------------------


async def test_held_mail_waits_until_it_is_released() -> None:
    async with running(Post()) as post:
        post.graph.say(BUSY)
        post.take(1)
        await settle()
        assert isinstance(await post.queue.hold(1, "ask first"), Changed)
        await post.clock.advance(24 * HOUR)
        assert len(post.graph.sent) == 1
        assert isinstance(await post.queue.release(1), Changed)
        await settle()
        assert post.spool.state(1) == Done("relayed")
        assert post.told("held", "released") == ["held", "released"]


async def test_deleted_mail_is_never_sent() -> None:
    async with running(Post()) as post:
        post.graph.say(BUSY)
        post.take(1)
        await settle()
        assert isinstance(await post.queue.delete(1, "a mistake"), Changed)
        await post.clock.advance(24 * HOUR)
        assert len(post.graph.sent) == 1
        assert post.told("deleted") == ["deleted"]


async def test_retry_now_does_not_wait_and_lets_a_paused_lane_look() -> None:
    async with running(Post()) as post:
        post.graph.say(FULL)
        post.take(1, 2)
        await settle(3)
        assert isinstance(await post.queue.retry_now(1), Changed)
        await settle(50)
        assert post.spool.state(1) == Done("relayed")


async def test_a_retry_that_was_asked_of_another_relay_lets_a_paused_lane_look() -> None:
    async with running(Post()) as post:
        post.graph.say(FULL)
        post.take(1, 2)
        await settle(3)
        [note] = post.queue.notes()
        assert (note.lane, '"state": "quota"' in note.text) == (LANE, True)
        assert note.wakes_at
        assert note.wakes_at > post.clock.now()
        post.queue.probe(LANE)
        await settle(50)
        assert post.spool.state(1) == Done("relayed")
        assert post.told("paused", "resumed") == ["paused", "resumed"]


async def test_what_is_on_its_way_is_not_touched() -> None:
    post = Post()
    post.graph.gate = asyncio.Event()
    async with running(post):
        post.take(1)
        await settle()
        assert isinstance(await post.queue.hold(1, "too late"), NotChanged)
        assert isinstance(await post.queue.delete(1, "too late"), NotChanged)
        post.graph.gate.set()
        await settle()
        assert post.spool.state(1) == Done("relayed")
        assert post.told("held", "deleted") == []


async def test_a_hold_just_before_the_mark_wins() -> None:
    post = Post()

    async def hold(number: int) -> None:
        post.spool.before_begin = None
        await post.queue.hold(number, "wait")

    post.spool.before_begin = hold
    async with running(post):
        post.take(1)
        await settle()
        assert isinstance(post.spool.state(1), Held)
        assert post.graph.sent == []
        await post.queue.release(1)
        await settle()
        assert post.spool.state(1) == Done("relayed")


async def test_a_release_that_overtakes_the_news_of_the_hold_is_not_lost() -> None:
    post = Post()

    async def hold_and_release(number: int) -> None:
        post.spool.before_begin = None
        await post.queue.hold(number, "wait")
        await post.queue.release(number)
        raise NotQueued(f"{number} was held when I looked")

    post.spool.before_begin = hold_and_release
    async with running(post):
        post.take(1)
        await settle()
        assert post.spool.state(1) == Done("relayed")


# The disk, and bugs --------------------------------------------------------------


async def test_a_full_disk_lets_the_lane_rest_and_then_mail_flows() -> None:
    async with running(Post()) as post:
        post.spool.trouble = StorageUnavailable("disk full")
        post.take(1)
        await post.clock.advance(MINUTE)
        assert post.graph.sent == []
        post.spool.trouble = None
        await post.clock.advance(2 * MINUTE)
        assert post.spool.state(1) == Done("relayed")


async def test_an_outcome_that_cannot_be_written_is_kept_until_it_can_and_not_sent_twice() -> None:
    post = Post()
    post.graph.gate = asyncio.Event()
    async with running(post):
        post.take(1)
        await settle()
        post.spool.trouble = StorageUnavailable("disk full")
        post.graph.gate.set()
        await post.clock.advance(MINUTE)
        assert post.told("outcome-not-recorded")
        post.spool.trouble = None
        await post.clock.advance(MINUTE)
        assert post.spool.outcomes(1) == ["Relayed"]
        assert len(post.graph.sent) == 1


async def test_a_mistake_of_ours_with_one_message_stops_no_other() -> None:
    async with running(Post()) as post:
        post.graph.say(RuntimeError("a bug"))
        post.take(1, 2, 3)
        await post.clock.advance(2 * SECOND)
        assert post.spool.outcomes(1) == ["Uncertain"]
        assert post.spool.state(2) == Done("relayed")
        await post.clock.advance(HOUR)
        assert post.spool.state(1) == Done("relayed")


async def test_a_spool_that_breaks_unexpectedly_stops_no_other_mail() -> None:
    class Broken(ScriptedSpool):
        async def load_to_send(self, entry: QueueEntry) -> Submission:
            if entry.submission_id == 1:
                raise RuntimeError("a bug")
            return await super().load_to_send(entry)

    async with running(Post(spool=Broken())) as post:
        post.take(1, 2)
        await post.clock.advance(MINUTE)
        assert post.spool.state(2) == Done("relayed")
        assert post.told("attempt-broke")
        assert isinstance(post.spool.state(1), Queued)


@pytest.mark.parametrize("what", ["load_to_send", "take"])
@pytest.mark.parametrize(
    ("error", "waits"), [(MemoryError(), WITHOUT_DISK), (RuntimeError("a bug"), HOUR)]
)
async def test_what_a_bug_broke_waits_for_long_and_what_lacked_memory_does_not(
    monkeypatch: pytest.MonkeyPatch, what: str, error: Exception, waits: timedelta
) -> None:
    async def breaks(self: ScriptedSpool, _: object) -> None:
        raise error

    monkeypatch.setattr(ScriptedSpool, what, breaks)
    post = Post()
    post.spool.put(submission(1))
    async with running(post):
        await settle()
        monkeypatch.undo()
        await post.clock.advance(waits - SECOND)
        assert isinstance(post.spool.state(1), Queued)
        await post.clock.advance(2 * SECOND)
        assert post.spool.state(1) == Done("relayed")


async def test_an_outcome_that_breaks_on_its_way_to_the_disk_is_recorded_later() -> None:
    class Broken(ScriptedSpool):
        breaks = 2

        async def finish(self, *args: Any, **named: Any) -> Any:
            self.breaks -= 1
            if self.breaks >= 0:
                raise RuntimeError("a bug")
            return await super().finish(*args, **named)

    async with running(Post(spool=Broken())) as post:
        post.take(1)
        await post.clock.advance(MINUTE)
        assert post.told("attempt-broke")
        assert isinstance(post.spool.state(1), Queued)
        await post.clock.advance(3 * HOUR)
        assert post.spool.state(1) == Done("relayed")
        assert len(post.graph.sent) == 1


# Lanes that are done -------------------------------------------------------------------------


async def test_an_empty_lane_closes_its_connections_after_a_while() -> None:
    async with running(Post()) as post:
        post.take(1)
        await post.clock.advance(59 * SECOND)
        assert post.graph.left == []
        assert len(await post.queue.lanes()) == 1
        await post.clock.advance(SECOND)
        assert post.graph.left == [LANE]
        assert await post.queue.lanes() == []
        post.take(2)
        await settle()
        assert post.spool.state(2) == Done("relayed")


async def test_a_lane_in_use_keeps_its_connections() -> None:
    async with running(Post()) as post:
        for number in range(1, 10):
            post.take(number)
            await post.clock.advance(30 * SECOND)
        assert post.graph.left == []


async def test_nothing_polls() -> None:
    async with running(Post()) as post:
        post.take(*range(1, 100))
        await settle(500)
        await post.clock.advance(HOUR)
        assert post.clock.sleepers == 0


# Lanes that several relays share ----------------------------------------------------------------


async def test_mail_in_another_relays_lane_is_left_to_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post = Post()
    monkeypatch.setattr(post.spool, "sends", lambda lane: lane != INFO)
    async with running(post):
        post.take(1, lane=INFO)
        post.take(2)
        await settle()
        assert post.graph.order == [LANE.mailbox]


async def test_a_lane_that_is_gained_is_sent_from_and_one_that_is_lost_is_not() -> None:
    post = Post()
    async with running(post):
        post.spool.put(submission(1))
        post.queue.gained(LANE)
        await settle()
        assert post.spool.state(1) == Done("relayed")
        post.graph.gate = asyncio.Event()
        post.take(*range(2, 9))
        await settle()
        assert post.queue.in_flight == 4
        post.queue.lost(LANE)
        post.graph.gate.set()
        await settle(100)
        assert len(post.graph.sent) == 5


async def test_mail_of_which_only_the_spool_knows_is_sent_when_it_says_so() -> None:
    post = Post()
    async with running(post):
        post.spool.put(submission(1))
        await settle()
        assert post.graph.sent == []
        post.queue.changed(LANE)
        await settle()
        assert len(post.graph.sent) == 1
