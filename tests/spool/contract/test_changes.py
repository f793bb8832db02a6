"""Hold, release, retry, delete: all or nothing, and never while a request is in flight."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from graphrelay.model import Done, Held, Queued, QueueEntry, Submission
from graphrelay.spool.changes import Change, Changed, Delete, Hold, NotChanged, Release, Retry
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.queries import HistoryOf, LogFilter, QueueFilter
from graphrelay.spool.values import HistoryEvent
from tests.clock import FakeClock
from tests.spool.mail import ANNA, BERT, NOON, a_message, delayed, plan, put, relayed, waiting_in

Made = Callable[[str | int], Change]


def hold(which: str | int) -> Change:
    return Hold(which, "wait")


def delete(which: str | int) -> Change:
    return Delete(which, "spam")


every_verb = pytest.mark.parametrize("verb", [hold, Release, Retry, delete])


async def two_parts(spool: Spool) -> tuple[Submission, Submission]:
    first, second = await put(spool, message=a_message((plan(), (ANNA,)), (plan(), (BERT,))))
    return first, second


async def states(spool: Spool, queue_id: str) -> list[object]:
    shown = await spool.read(HistoryOf(queue_id))
    assert shown is not None
    return [part.state for part in shown.parts]


async def test_what_is_held_does_not_wait_and_does_not_go_out(spool: Spool) -> None:
    (submission,) = await put(spool)

    verdict = await spool.change(Hold(submission.queue_id, "looks odd"))

    assert isinstance(verdict, Changed)
    assert verdict.submissions == (QueueEntry.of(submission),)
    assert await waiting_in(spool) == []
    assert await states(spool, submission.queue_id) == [Held("looks odd")]
    with pytest.raises(NotQueued):
        await spool.begin(submission, NOON, "c")


async def test_what_is_released_is_due_at_once(spool: Spool, clock: FakeClock) -> None:
    (submission,) = await put(spool)
    await spool.change(Hold(submission.id, "wait"))

    verdict = await spool.change(Release(submission.id))

    assert isinstance(verdict, Changed)
    assert [one.submission_id for one in verdict.submissions] == await waiting_in(spool)
    assert verdict.submissions[0].not_before == clock.now()


async def test_what_is_retried_is_due_at_once(spool: Spool, clock: FakeClock) -> None:
    (submission,) = await put(spool)
    await spool.begin(submission, NOON, "c")
    await spool.finish(submission, delayed(), Queued(NOON + timedelta(hours=1)))
    assert isinstance(await spool.change(Retry(submission.queue_id)), Changed)
    assert await states(spool, submission.queue_id) == [Queued(clock.now())]


async def test_what_is_deleted_is_gone_but_for_the_log(spool: Spool) -> None:
    (submission,) = await put(spool, bytes(200_000))

    verdict = await spool.change(Delete(submission.queue_id, "sent by mistake"))

    assert isinstance(verdict, Changed)
    with pytest.raises(NotQueued):
        await spool.load(submission.id)
    (row,) = await spool.read(LogFilter())
    assert (row.what, row.reason) == ("deleted", "sent by mistake")
    assert await states(spool, submission.queue_id) == [Done("deleted", "sent by mistake")]


async def test_a_bare_id_means_every_part_and_a_number_that_one(spool: Spool) -> None:
    first, second = await two_parts(spool)

    await spool.change(Hold(second.queue_id, "this one"))
    assert await states(spool, first.queue_id) == [Queued(NOON), Held("this one")]
    await spool.change(Hold(f"{first.queue_id}/1", "that one"))
    assert await states(spool, first.queue_id) == [Held("that one"), Held("this one")]
    verdict = await spool.change(Release(first.queue_id.lower()))
    assert isinstance(verdict, Changed)
    assert len(verdict.submissions) == 2


async def test_the_octets_stay_while_another_part_is_open(spool: Spool) -> None:
    first, second = await two_parts(spool)
    await spool.change(Delete(first.id, "no"))
    assert (await spool.load(second.id)).body == second.body
    await spool.change(Delete(second.id, "no"))
    shown = await spool.read(HistoryOf(first.queue_id))
    assert shown is not None
    assert not shown.octets_kept


@every_verb
async def test_an_unknown_one_is_refused(spool: Spool, verb: Made) -> None:
    for which in ("0000000000", "nonsense", "", 4711):
        verdict = await spool.change(verb(which))
        assert isinstance(verdict, NotChanged)
        assert verdict.why == "unknown"


@every_verb
async def test_while_any_part_is_on_its_way_nothing_is_changed(spool: Spool, verb: Made) -> None:
    first, second = await two_parts(spool)
    await spool.begin(second, NOON, "c")

    verdict = await spool.change(verb(first.queue_id))

    assert isinstance(verdict, NotChanged)
    assert verdict.why == "in flight"
    assert await states(spool, first.queue_id) == [Queued(NOON), Queued(NOON)]


@every_verb
async def test_what_is_done_is_refused(spool: Spool, verb: Made) -> None:
    (submission,) = await put(spool)
    await spool.begin(submission, NOON, "c")
    await spool.finish(submission, relayed(), Done("relayed"))

    verdict = await spool.change(verb(submission.queue_id))

    assert isinstance(verdict, NotChanged)
    assert verdict.why == "done"
    assert "relayed already" in verdict.text


async def test_what_makes_no_sense_is_refused_with_the_reason(spool: Spool) -> None:
    (submission,) = await put(spool)
    refused = await spool.change(Release(submission.id))
    assert isinstance(refused, NotChanged)
    assert refused.why == "not held"
    await spool.change(Hold(submission.id, "wait"))
    for verdict in (
        await spool.change(Hold(submission.id, "x")),
        await spool.change(Retry(submission.id)),
    ):
        assert isinstance(verdict, NotChanged)
        assert verdict.why == "held"


async def test_what_a_person_did_is_in_the_history(spool: Spool, clock: FakeClock) -> None:
    (submission,) = await put(spool)
    await spool.change(Hold(submission.id, "odd"))
    await clock.advance(timedelta(minutes=1))
    await spool.change(Release(submission.id))
    shown = await spool.read(HistoryOf(submission.queue_id))
    assert shown is not None
    assert shown.parts[0].history == (
        HistoryEvent(at=NOON, what="held", reason="odd"),
        HistoryEvent(at=NOON + timedelta(minutes=1), what="released", reason=""),
    )
    assert [row.queue_id for row in await spool.read(QueueFilter(state="queued"))] == [
        submission.queue_id
    ]
