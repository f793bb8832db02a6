"""One attempt: the requests, their order, and what is reported."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from graphrelay.model import (
    Done,
    OctetSource,
    Paused,
    Queued,
    QueueEntry,
    StorageUnavailable,
    Submission,
    Trouble,
)
from graphrelay.oauth.answers import (
    EntraUnreachable,
    NotGranted,
    TokenRefused,
    Unauthorized,
    VaultProblem,
)
from graphrelay.relay.deliver.result import (
    Answered,
    DeliveryResult,
    Finished,
    NotBegun,
    NotWaiting,
)
from graphrelay.relay.outgoing.as_mime import outgoing
from graphrelay.relay.policy.budget import Spent
from graphrelay.relay.policy.decision import Flows, Slower, Stops
from graphrelay.spool.changes import Delete
from graphrelay.spool.queries import InFlight
from tests.clock import settle
from tests.relay.delivery import (
    ACCOUNT,
    BUSY,
    DENIED,
    LOST,
    REFUSED,
    Post,
    submission,
)
from tests.spool.memory import MemorySpool

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Seen:
    """The reports of a courier about an attempt: when its request was over, and at the end."""

    carried: DeliveryResult
    answered: list[Answered]


async def carry(post: Post, number: int = 1) -> Seen:
    """The first attempt stores the message, later ones find it there."""
    waiting = QueueEntry.of(submission(number))
    if number not in post.spool.marked:
        waiting = post.spool.put(submission(number))
    return await carry_waiting(post, waiting)


async def carry_waiting(post: Post, waiting: QueueEntry) -> Seen:
    answered: list[Answered] = []
    return Seen(await post.courier.carry(waiting, answered.append), answered)


async def test_the_mark_is_on_the_disk_before_the_request_goes_out() -> None:
    post = Post()
    post.graph.gate = asyncio.Event()
    carrying = asyncio.ensure_future(carry(post))
    await settle()
    [interrupted] = await post.spool.read(InFlight())
    [sent] = post.graph.sent
    assert interrupted.client_request_id == sent.client_request_id
    post.graph.gate.set()
    seen = await carrying
    assert seen.carried == Finished(Done("relayed"))
    spent = Spent(requests=1, octets=1_000, messages=1, recipients=1)
    assert seen.answered == [Answered(Flows(), spent)]


async def test_the_mark_is_on_the_disk_before_anything_reads_the_message() -> None:
    marked: list[list[int]] = []

    async def compose(one: Submission) -> OctetSource:
        marked.append(list(post.spool.marked))
        return await outgoing(one)

    post = Post(compose=compose)
    await carry(post)
    assert marked == [[1]]
    assert post.spool.outcomes(1) == ["Relayed"]


async def test_messages_that_a_process_ended_with_are_marked_and_read_one_by_one() -> None:
    gate, marked = asyncio.Event(), list[list[int]]()

    async def compose(one: Submission) -> OctetSource:
        marked.append(sorted(post.spool.marked))
        await gate.wait()
        return await outgoing(one)

    post = Post(compose=compose)
    suspects = [replace(post.spool.put(submission(number)), suspect=True) for number in (2, 3)]
    carrying = [asyncio.ensure_future(carry_waiting(post, one)) for one in suspects]
    await settle()
    assert marked == [[2]]
    gate.set()
    await asyncio.gather(*carrying)
    assert marked == [[2], [2, 3]]


async def test_a_message_that_no_process_survives_is_gone_unread() -> None:
    async def compose(one: Submission) -> OctetSource:
        raise AssertionError("read")

    post = Post(compose=compose)
    waiting = post.spool.put(submission(1))
    for _ in range(3):
        process = MemorySpool(post.clock, post.journal, post.spool.connection)
        await process.load_to_send(waiting)
    assert await carry_waiting(post, waiting) == Seen(NotWaiting(), [])
    assert post.spool.begun == []


async def test_each_attempt_has_a_request_id_of_its_own_and_the_same_octets() -> None:
    post = Post()
    post.graph.say(BUSY)
    await carry(post)
    await carry(post)
    first, second = post.graph.sent
    assert first.client_request_id != second.client_request_id
    assert first.octets == second.octets
    assert b"Bcc" not in first.octets


async def test_what_happens_is_reported_once_each() -> None:
    post = Post()
    post.graph.say(BUSY, LOST, REFUSED)
    for _ in range(3):
        await carry(post)
    assert post.told() == ["attempt", "delayed", "attempt", "uncertain", "attempt", "failed"]
    uncertain = post.events("uncertain")[0]
    assert str(uncertain.fields["next"]).startswith("sent again at 2026-11-23T12:0")
    assert [entry.fields["number"] for entry in post.events("attempt")] == [1, 2, 3]


async def test_an_outcome_is_reported_when_it_is_on_the_disk_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post = Post()
    finish = post.spool.finish
    told_before: list[list[str]] = []

    async def watched(*arguments: Any) -> tuple[Submission, ...]:
        told_before.append(post.told())
        return await finish(*arguments)

    monkeypatch.setattr(post.spool, "finish", watched)
    await carry(post)
    assert told_before == [["attempt"]]
    assert post.told() == ["attempt", "relayed"]


async def test_an_outcome_that_the_disk_does_not_take_is_answered_all_the_same() -> None:
    post = Post()
    writing, answered = asyncio.Event(), list[Answered]()
    post.spool.before_finish = lambda number: writing.wait()
    waiting = post.spool.put(submission(1))
    carrying = asyncio.ensure_future(post.courier.carry(waiting, answered.append))
    await settle()
    assert [one.feedback for one in answered] == [Flows()]
    assert post.spool.outcomes(1) == []
    writing.set()
    assert await carrying == Finished(Done("relayed"))
    assert len(answered) == 1


# Tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason", "remedy"),
    [
        (
            Unauthorized(reason="Nobody has authorized it.", remedy="graphrelay authorize website"),
            'account "website": Nobody has authorized it.',
            "graphrelay authorize website",
        ),
        (
            TokenRefused(
                error="invalid_grant", kind="expired", remedy="graphrelay authorize website"
            ),
            'account "website": Microsoft refused a token (invalid_grant)',
            "graphrelay authorize website",
        ),
        (
            VaultProblem(reason="The vault is locked.", remedy="Unlock it."),
            'account "website": The vault is locked.',
            "Unlock it.",
        ),
    ],
)
async def test_without_a_token_the_lane_stops_and_no_attempt_is_burnt(
    answer: NotGranted, reason: str, remedy: str
) -> None:
    post = Post()
    post.graph.without_token[ACCOUNT] = answer
    expected = Paused(trouble=Trouble.AUTHORIZATION, status="4.7.0", reason=reason, remedy=remedy)
    assert await carry(post) == Seen(NotBegun(Stops(expected)), [])
    assert await post.spool.read(InFlight()) == []
    assert post.told() == []


async def test_entra_out_of_reach_is_a_rest_and_not_a_stop() -> None:
    post = Post()
    post.graph.without_token[ACCOUNT] = EntraUnreachable(reason="timeout", retry_after=9 * SECOND)
    found = (await carry(post)).carried
    assert isinstance(found, NotBegun)
    assert isinstance(found.feedback, Slower)
    assert found.feedback.retry_after == 9 * SECOND


async def test_a_token_that_graph_refuses_stops_the_lane_and_the_message_keeps_its_place() -> None:
    post = Post()
    post.graph.say(DENIED)
    seen = await carry(post)
    assert seen.carried == Finished(Queued(post.clock.now()))
    assert [one.feedback for one in seen.answered] == [Stops(DENIED)]
    assert post.spool.outcomes(1) == ["Paused"]


# The disk ------------------------------------------------------------------------------------


async def test_without_a_mark_on_the_disk_nothing_goes_out() -> None:
    post = Post()
    waiting = post.spool.put(submission(1))

    async def disk_full(number: int) -> None:
        raise StorageUnavailable("disk full")

    post.spool.before_begin = disk_full
    found = await carry_waiting(post, waiting)
    assert found == Seen(NotBegun(Slower("disk full", 5 * SECOND)), [])
    assert post.graph.sent == []


async def test_what_is_not_in_the_spool_any_more_is_gone() -> None:
    post = Post()
    waiting = post.spool.put(submission(1))
    await post.spool.change(Delete(1, "no"))
    assert await carry_waiting(post, waiting) == Seen(NotWaiting(), [])


@pytest.mark.parametrize(
    "error", [OSError("I/O error"), StorageUnavailable("the file is shorter than it was")]
)
async def test_a_body_that_cannot_be_read_delays_the_message(error: Exception) -> None:
    post = Post()
    post.graph.say(error)
    found = (await carry(post)).carried
    assert isinstance(found, Finished)
    assert isinstance(found.next, Queued)
    assert "could not be read from the disk" in str(post.events("delayed")[0].fields["reason"])


async def test_a_message_that_cannot_be_prepared_is_delayed_not_uncertain() -> None:
    async def broken(one: Submission) -> OctetSource:
        raise ValueError(one.queue_id)

    post = Post(compose=broken)
    await carry(post)
    assert post.spool.outcomes(1) == ["Delayed"]
    assert post.graph.sent == []


async def test_a_wall_clock_that_jumps_during_an_attempt_does_not_make_it_end_before_it_began() -> (
    None
):
    post = Post()
    post.graph.gate = asyncio.Event()
    carrying = asyncio.ensure_future(carry(post))
    await settle()
    post.clock.set_wall_clock(post.clock.now() - timedelta(days=1))
    await post.clock.advance(3 * SECOND)
    post.graph.gate.set()
    await carrying
    [attempt] = post.spool.history(1)
    assert attempt.finished_at - attempt.started_at == 3 * SECOND
