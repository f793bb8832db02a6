"""A submission becomes several, and each recipient stands in exactly one of them."""

from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.model import (
    Address,
    Answer,
    Attempt,
    Done,
    DraftProgress,
    Failed,
    Queued,
    StorageUnavailable,
)
from graphrelay.spool import Event, NotQueued, QueueFilter, Spool
from graphrelay.spool.values import LeftBehind
from tests.clock import FakeClock
from tests.spool.faulty import FaultyDisk, database_full
from tests.spool.mail import ANNA, BERT, NOON, a_message, plan, put, relayed

CARL, DORA = Address("carl", "example.org"), Address("dora", "example.org")
ALL = (ANNA, BERT, CARL, DORA)
REFUSED = Failed(status="5.1.3", reason="no", answer=Answer(code="ErrorInvalidRecipients"))
PIECES = ((ANNA, BERT), (CARL,), (DORA,))
AT = NOON + timedelta(seconds=5)


def refused(number: int = 1) -> Attempt:
    return Attempt(number=number, started_at=NOON, finished_at=AT, outcome=REFUSED)


async def test_each_piece_waits_by_itself_with_the_same_octets(spool: Spool) -> None:
    (one,) = await put(spool, message=a_message((plan(), ALL)))
    await spool.begin_attempt(one.id, NOON, "c")

    split_off = await spool.divide(one.id, refused(), Queued(AT), PIECES)

    waiting = await spool.waiting()
    assert [found.submission_id for found in waiting[:1]] == [one.id]
    assert tuple(waiting[1:]) == split_off
    assert {found.not_before for found in waiting} == {AT}
    loaded = [await spool.load(found.submission_id) for found in waiting]
    assert tuple(found.envelope.forward_paths for found in loaded) == PIECES
    assert [found.queue_id for found in loaded] == [
        one.queue_id,
        *(f"{one.queue_id}/{n}" for n in (2, 3)),
    ]
    assert {(found.body, found.plan, found.received_at) for found in loaded} == {
        (one.body, one.plan, one.received_at)
    }
    assert [found.attempts for found in loaded] == [1, 0, 0]


async def test_the_history_says_what_happened(spool: Spool) -> None:
    (one,) = await put(spool, message=a_message((plan(), ALL)))
    await spool.begin_attempt(one.id, NOON, "c")
    await spool.divide(one.id, refused(), Queued(AT), PIECES)

    shown = await spool.show(one.queue_id)
    assert shown is not None
    first, second, _ = shown.parts
    assert first.history == (refused(),)
    assert second.history == (
        Event(at=AT, what="divided", reason=f"split off from {one.queue_id}"),
    )
    for name, where in (("carl", second.queue_id), ("bert", first.queue_id)):
        (row,) = await spool.queue(QueueFilter(recipient=f"{name}@example.org"))
        assert row.queue_id == where


async def test_doing_it_again_changes_nothing_and_answers_the_same(spool: Spool) -> None:
    (one,) = await put(spool, message=a_message((plan(), ALL)))
    await spool.begin_attempt(one.id, NOON, "c")
    first = await spool.divide(one.id, refused(), Queued(AT), PIECES)
    assert await spool.divide(one.id, refused(), Queued(AT), PIECES) == first
    assert len(await spool.waiting()) == 3
    with pytest.raises(NotQueued):
        await spool.divide(one.id, refused(7), Queued(AT), PIECES)


async def test_new_mail_and_new_pieces_get_numbers_of_their_own(spool: Spool) -> None:
    (one,) = await put(spool, message=a_message((plan(), ALL)))
    (other,) = await put(spool)
    await spool.begin_attempt(one.id, NOON, "c")
    split_off = await spool.divide(one.id, refused(), Queued(AT), PIECES)
    (third,) = await put(spool)
    ids = [one.id, other.id, *(found.submission_id for found in split_off), third.id]
    assert len(set(ids)) == len(ids)


async def test_a_piece_may_be_divided_again(spool: Spool) -> None:
    (one,) = await put(spool, message=a_message((plan(), ALL)))
    await spool.begin_attempt(one.id, NOON, "c")
    await spool.divide(one.id, refused(), Queued(AT), PIECES)
    await spool.begin_attempt(one.id, NOON, "d")
    split_off = await spool.divide(one.id, refused(2), Queued(AT), ((ANNA,), (BERT,)))
    loaded = await spool.load(split_off[-1].submission_id)
    assert (loaded.queue_id, loaded.envelope.forward_paths) == (f"{one.queue_id}/4", (BERT,))


async def test_the_octets_go_with_the_last_piece(spool: Spool, tmp_path: Path) -> None:
    (one,) = await put(spool, bytes(200_000), a_message((plan(), ALL)))
    await spool.begin_attempt(one.id, NOON, "c")
    await spool.divide(one.id, refused(), Queued(AT), PIECES)
    for number, waiting in enumerate(await spool.waiting()):
        assert list((tmp_path / "spool" / "bodies").iterdir()) != []
        count = await spool.begin_attempt(waiting.submission_id, NOON, f"d{number}")
        await spool.finish_attempt(waiting.submission_id, relayed(count), Done("relayed"))
    assert list((tmp_path / "spool" / "bodies").iterdir()) == []


async def test_a_draft_that_names_all_of_them_is_never_sent_but_taken_away(spool: Spool) -> None:
    (one,) = await put(spool, message=a_message((plan(), ALL)))
    await spool.begin_attempt(one.id, NOON, "c")
    await spool.keep_draft(one.id, DraftProgress(id="AAA"))
    await spool.divide(one.id, refused(), Queued(AT), PIECES)
    assert (await spool.load(one.id)).draft is None
    left = LeftBehind(submission_id=one.id, queue_id=one.queue_id, lane=one.plan.lane, draft="AAA")
    assert await spool.left_behind() == [left]
    await spool.forget_draft(one.id, "AAA")
    assert await spool.left_behind() == []


async def test_the_pieces_are_there_after_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    journal = Journal(clock)
    async with Spool.open(tmp_path / "spool", clock, journal, reserve=0) as spool:
        (one,) = await put(spool, message=a_message((plan(), ALL)))
        await spool.begin_attempt(one.id, NOON, "c")
        await spool.divide(one.id, refused(), Queued(AT), PIECES)
    async with Spool.open(tmp_path / "spool", clock, journal, reserve=0) as spool:
        assert await spool.interrupted() == []
        waiting = await spool.waiting()
        loaded = [await spool.load(found.submission_id) for found in waiting]
    assert tuple(found.envelope.forward_paths for found in loaded) == PIECES


async def test_a_full_disk_divides_nothing_and_later_all_of_it(tmp_path: Path) -> None:
    disk, clock = FaultyDisk(), FakeClock()
    async with Spool.open(tmp_path / "spool", clock, Journal(clock), reserve=0, disk=disk) as spool:
        (one,) = await put(spool, message=a_message((plan(), ALL)))
        await spool.begin_attempt(one.id, NOON, "c")
        disk.fail("commit", database_full())
        with pytest.raises(StorageUnavailable):
            await spool.divide(one.id, refused(), Queued(AT), PIECES)
        assert (await spool.load(one.id)).envelope.forward_paths == ALL
        assert [found.number for found in await spool.interrupted()] == [1]
        await spool.divide(one.id, refused(), Queued(AT), PIECES)
        waiting = await spool.waiting()
        loaded = [await spool.load(found.submission_id) for found in waiting]
    assert tuple(found.envelope.forward_paths for found in loaded) == PIECES
