"""Hold, release, retry, delete: all or nothing, and never under a request that is on its way."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.model import Done, Held, Queued, Submission, Waiting
from graphrelay.spool import Changed, Event, NotQueued, QueueFilter, Refused, Spool, Verdict
from tests.clock import FakeClock
from tests.spool.mail import ANNA, BERT, NOON, a_message, plan, put, relayed

LATER = NOON + timedelta(hours=1)
Verb = Callable[[Spool, str | int], Awaitable[Verdict]]


def hold(spool: Spool, which: str | int) -> Awaitable[Verdict]:
    return spool.hold(which, "wait")


def release(spool: Spool, which: str | int) -> Awaitable[Verdict]:
    return spool.release(which, LATER)


def retry(spool: Spool, which: str | int) -> Awaitable[Verdict]:
    return spool.retry_now(which, LATER)


def delete(spool: Spool, which: str | int) -> Awaitable[Verdict]:
    return spool.delete(which, "spam")


every_verb = pytest.mark.parametrize("verb", [hold, release, retry, delete])


async def two_parts(spool: Spool) -> tuple[Submission, Submission]:
    first, second = await put(spool, message=a_message((plan(), (ANNA,)), (plan(), (BERT,))))
    return first, second


async def states(spool: Spool, queue_id: str) -> list[object]:
    shown = await spool.show(queue_id)
    assert shown is not None
    return [part.state for part in shown.parts]


async def test_what_is_held_does_not_wait_and_does_not_go_out(spool: Spool) -> None:
    (submission,) = await put(spool)

    verdict = await spool.hold(submission.queue_id, "looks odd")

    assert isinstance(verdict, Changed)
    assert verdict.submissions == (Waiting.of(submission),)
    assert await spool.waiting() == []
    assert await states(spool, submission.queue_id) == [Held("looks odd")]
    with pytest.raises(NotQueued):
        await spool.begin_attempt(submission.id, NOON, "c")


async def test_what_is_released_waits_again_from_then(spool: Spool) -> None:
    (submission,) = await put(spool)
    await spool.hold(submission.id, "wait")

    verdict = await spool.release(submission.id, LATER)

    assert isinstance(verdict, Changed)
    assert list(verdict.submissions) == await spool.waiting()
    assert verdict.submissions[0].not_before == LATER


async def test_what_is_retried_is_due_then(spool: Spool) -> None:
    (submission,) = await put(spool)
    assert isinstance(await spool.retry_now(submission.queue_id, LATER), Changed)
    assert await states(spool, submission.queue_id) == [Queued(LATER)]


async def test_what_is_deleted_is_gone_but_for_the_log(spool: Spool, tmp_path: Path) -> None:
    (submission,) = await put(spool, bytes(200_000))

    verdict = await spool.delete(submission.queue_id, "sent by mistake")

    assert isinstance(verdict, Changed)
    assert list((tmp_path / "spool" / "bodies").iterdir()) == []
    with pytest.raises(NotQueued):
        await spool.load(submission.id)
    (row,) = await spool.log()
    assert (row.what, row.reason) == ("deleted", "sent by mistake")
    assert await states(spool, submission.queue_id) == [Done("deleted", "sent by mistake")]


async def test_a_bare_id_means_every_part_and_a_number_that_one(spool: Spool) -> None:
    first, second = await two_parts(spool)

    await spool.hold(second.queue_id, "this one")
    assert await states(spool, first.queue_id) == [Queued(NOON), Held("this one")]
    await spool.hold(f"{first.queue_id}/1", "that one")
    assert await states(spool, first.queue_id) == [Held("that one"), Held("this one")]
    verdict = await spool.release(first.queue_id.lower(), LATER)
    assert isinstance(verdict, Changed)
    assert len(verdict.submissions) == 2


async def test_the_octets_stay_while_another_part_is_open(spool: Spool) -> None:
    first, second = await two_parts(spool)
    await spool.delete(first.id, "no")
    assert (await spool.load(second.id)).body == second.body
    await spool.delete(second.id, "no")
    shown = await spool.show(first.queue_id)
    assert shown is not None
    assert not shown.octets_kept


@every_verb
async def test_an_unknown_one_is_refused(spool: Spool, verb: Verb) -> None:
    for which in ("0000000000", "nonsense", "", 4711):
        verdict = await verb(spool, which)
        assert isinstance(verdict, Refused)
        assert verdict.why == "unknown"


@every_verb
async def test_while_any_part_is_on_its_way_nothing_is_changed(spool: Spool, verb: Verb) -> None:
    first, second = await two_parts(spool)
    await spool.begin_attempt(second.id, NOON, "c")

    verdict = await verb(spool, first.queue_id)

    assert isinstance(verdict, Refused)
    assert verdict.why == "in flight"
    assert await states(spool, first.queue_id) == [Queued(NOON), Queued(NOON)]


@every_verb
async def test_what_is_done_is_refused(spool: Spool, verb: Verb) -> None:
    (submission,) = await put(spool)
    await spool.begin_attempt(submission.id, NOON, "c")
    await spool.finish_attempt(submission.id, relayed(), Done("relayed"))

    verdict = await verb(spool, submission.queue_id)

    assert isinstance(verdict, Refused)
    assert verdict.why == "done"
    assert "relayed already" in verdict.text


async def test_what_makes_no_sense_is_refused_with_the_reason(spool: Spool) -> None:
    (submission,) = await put(spool)
    refused = await spool.release(submission.id, LATER)
    assert isinstance(refused, Refused)
    assert refused.why == "not held"
    await spool.hold(submission.id, "wait")
    for verdict in (
        await spool.hold(submission.id, "x"),
        await spool.retry_now(submission.id, NOON),
    ):
        assert isinstance(verdict, Refused)
        assert verdict.why == "held"


async def test_what_a_person_did_is_in_the_history(spool: Spool, clock: FakeClock) -> None:
    (submission,) = await put(spool)
    await spool.hold(submission.id, "odd")
    await clock.advance(timedelta(minutes=1))
    await spool.release(submission.id, LATER)
    shown = await spool.show(submission.queue_id)
    assert shown is not None
    assert shown.parts[0].history == (
        Event(at=NOON, what="held", reason="odd"),
        Event(at=NOON + timedelta(minutes=1), what="released", reason=""),
    )
    assert [row.queue_id for row in await spool.queue(QueueFilter(state="queued"))] == [
        submission.queue_id
    ]
