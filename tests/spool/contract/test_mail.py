"""Mail from acceptance to the end of its last attempt."""

import asyncio
from datetime import timedelta

import pytest

from graphrelay.model import (
    Address,
    Delayed,
    Done,
    Held,
    InlineBody,
    Lane,
    Origin,
    Queued,
    Submission,
    Uncertain,
)
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.queries import HistoryOf, InFlight, LogFilter, QueueFilter
from tests.spool.contract.conftest import Engine
from tests.spool.mail import (
    ANNA,
    BERT,
    NOON,
    WEBSITE,
    a_message,
    attempt,
    delayed,
    plan,
    put,
    relayed,
    waiting_in,
)

LARGE = bytes(range(256)) * 4096


async def test_what_was_put_is_loaded_the_same(spool: Spool) -> None:
    (submission,) = await put(spool)

    assert await spool.load(submission.id) == submission
    assert submission.body == InlineBody(b"Hello\r\n")


async def test_mail_is_there_again_after_a_restart(engine: Engine) -> None:
    async with engine() as spool:
        (small,), (large,) = await put(spool), await put(spool, LARGE)
    async with engine() as spool:
        assert await waiting_in(spool) == [small.id, large.id]
        assert await spool.load(small.id) == small
        assert await spool.load(large.id) == large


async def test_the_octets_stay_until_the_last_part_is_done(spool: Spool) -> None:
    body = spool.incoming()
    await body.write(LARGE)
    first, second = await spool.accept(a_message((plan(), (ANNA,)), (plan(), (BERT,))), body)
    assert second.queue_id == first.queue_id + "/2"

    await spool.begin(first, NOON, "c")
    await spool.finish(first, relayed(), Done("relayed"))

    assert await spool.load(second.id) == second
    await spool.begin(second, NOON, "c")
    await spool.finish(second, relayed(), Done("relayed"))
    shown = await spool.read(HistoryOf(first.queue_id))
    assert shown is not None
    assert not shown.octets_kept


async def test_a_delayed_message_waits_until_its_time(spool: Spool) -> None:
    (submission,) = await put(spool)
    later = NOON + timedelta(minutes=5)
    number = await spool.begin(submission, NOON, "c")
    outcome = Delayed(status="4.7.0", reason="busy", retry_after=timedelta(seconds=1.5))
    await spool.finish(submission, attempt(outcome, number), Queued(later))

    assert await waiting_in(spool) == [submission.id]
    assert (await spool.load(submission.id)).attempts == 1
    (row,) = await spool.read(QueueFilter())
    assert row.state == Queued(later)
    assert (row.last, row.attempts) == ("busy", 1)
    assert (await spool.read(LogFilter()))[0].outcome == outcome


async def test_an_attempt_begun_and_never_finished_is_found_at_start(engine: Engine) -> None:
    async with engine() as spool:
        (submission,) = await put(spool)
        await spool.begin(submission, NOON, "client-1")
    async with engine() as spool:
        (attempt,) = await spool.read(InFlight())
        assert await waiting_in(spool) == []
        assert (await spool.load(submission.id)).attempts == 1
        assert (attempt.submission_id, attempt.number, attempt.client_request_id) == (
            submission.id,
            1,
            "client-1",
        )


async def test_the_first_part_is_called_like_the_message_and_each_has_its_recipients(
    spool: Spool,
) -> None:
    many = tuple(Address(f"r{n}", "example.org") for n in range(70))
    other = plan(Lane("other", "o@contoso.com"))
    first, second = await put(spool, message=a_message((plan(), many), (other, (BERT,))))
    assert first.envelope.forward_paths == many
    assert (second.queue_id, second.plan) == (f"{first.queue_id}/2", other)
    assert set(await spool.lanes()) == {WEBSITE, other.lane}


async def test_header_lines_added_at_acceptance_stand_before_the_body(spool: Spool) -> None:
    (submission,) = await put(spool, message=a_message(prefix=b"Date: x\r\n"))
    assert submission.size == len(b"Date: x\r\nHello\r\n")
    assert (await spool.load(submission.id)).prefix == b"Date: x\r\n"


async def test_octets_that_are_no_text_survive_in_names(spool: Spool) -> None:
    odd = Address("caf\udce9", "example.org")
    origin = Origin(listener="l", client="unix", helo="caf\udce9", login="\ud800")
    (submission,) = await put(
        spool,
        message=a_message((plan(), (odd,)), sender=odd, subject="\udcff", origin=origin),
    )
    assert await spool.load(submission.id) == submission
    (row,) = await spool.read(QueueFilter(sender=str(odd), recipient=str(odd)))
    assert row.recipients == (odd,)
    assert row.subject == "\udcff"


async def test_attempts_are_numbered_from_one(spool: Spool) -> None:
    (submission,) = await put(spool)
    for number in (1, 2, 3):
        loaded = await spool.load(submission.id)
        assert loaded.attempts == number - 1
        assert await spool.begin(loaded, NOON, f"c{number}") == number
        assert (await spool.load(submission.id)).attempts == number
        await spool.finish(submission, delayed(number), Queued(NOON))
    shown = await spool.read(HistoryOf(submission.queue_id))
    assert shown is not None
    assert shown.parts[0].history == (delayed(1), delayed(2), delayed(3))


async def test_nothing_is_attempted_twice_at_once(spool: Spool) -> None:
    (submission,) = await put(spool)
    await spool.begin(submission, NOON, "c")
    with pytest.raises(NotQueued):
        await spool.begin(submission, NOON, "d")


async def test_what_was_tried_since_it_was_loaded_is_not_begun(spool: Spool) -> None:
    (submission,) = await put(spool)
    await spool.begin(submission, NOON, "c")
    await spool.finish(submission, delayed(), Queued(NOON))
    with pytest.raises(NotQueued):
        await spool.begin(submission, NOON, "d")
    assert await waiting_in(spool) == [submission.id]
    assert await spool.begin(await spool.load(submission.id), NOON, "d") == 2


async def test_finishing_the_same_attempt_again_changes_nothing(spool: Spool) -> None:
    (submission,) = await put(spool)
    await spool.begin(submission, NOON, "c")
    await spool.finish(submission, relayed(), Done("relayed"))
    await spool.finish(submission, relayed(), Done("relayed"))
    assert len(await spool.read(LogFilter())) == 1


async def test_an_attempt_that_was_never_begun_cannot_be_finished(spool: Spool) -> None:
    (submission,) = await put(spool)
    with pytest.raises(NotQueued):
        await spool.finish(submission, relayed(7), Done("relayed"))
    assert await waiting_in(spool) == [submission.id]


async def test_an_interrupted_attempt_can_be_finished_after_the_restart(engine: Engine) -> None:
    async with engine() as spool:
        (submission,) = await put(spool)
        await spool.begin(submission, NOON, "client-1")
    async with engine() as spool:
        (crashed,) = await spool.read(InFlight())
        outcome = attempt(Uncertain(reason="the relay stopped"), crashed.number)
        submission = await spool.load(crashed.submission_id)
        await spool.finish(submission, outcome, Queued(NOON))
        assert await spool.read(InFlight()) == []
        assert len(await waiting_in(spool)) == 1


async def test_what_follows_is_in_the_log_where_the_outcome_does_not_say_it(spool: Spool) -> None:
    (expired,), (odd,) = await put(spool), await put(spool)
    for submission, following in (
        (expired, Done("failed", "5 days are over")),
        (odd, Held("may have been sent")),
    ):
        await spool.begin(submission, NOON, "c")
        await spool.finish(submission, delayed(), following)
    failed = await spool.read(LogFilter(outcome="failed"))
    held = await spool.read(LogFilter(outcome="held"))
    assert [(row.queue_id, row.reason) for row in failed] == [(expired.queue_id, "5 days are over")]
    assert [(row.queue_id, row.reason) for row in held] == [(odd.queue_id, "may have been sent")]


async def test_many_at_once_are_all_kept_each_with_its_own(spool: Spool) -> None:
    async def one(n: int) -> Submission:
        paths = tuple(Address(f"r{n}-{i}", "example.org") for i in range(1 + n % 4))
        (submission,) = await put(
            spool, b"%d\r\n" % n * (1 + n % 30_000), a_message((plan(), paths))
        )
        return submission

    put_all = await asyncio.gather(*(one(n) for n in range(300)))

    assert len({submission.queue_id for submission in put_all}) == 300
    for submission in put_all:
        assert await spool.load(submission.id) == submission
