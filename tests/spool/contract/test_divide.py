"""A submission becomes several, and each recipient is in exactly one of them."""

from datetime import timedelta

import pytest

from graphrelay.model import (
    Address,
    Answer,
    Attempt,
    Done,
    DraftProgress,
    Failed,
    Queued,
    Submission,
)
from graphrelay.spool.changes import ForgetDraft
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.queries import HistoryOf, InFlight, LeftDrafts, QueueFilter
from graphrelay.spool.values import Divided, HistoryEvent, LeftBehind, MessageHistory
from tests.spool.contract.conftest import Engine
from tests.spool.mail import ANNA, BERT, NOON, a_message, plan, put, relayed, waiting_in

CARL, DORA = Address("carl", "example.org"), Address("dora", "example.org")
ALL = (ANNA, BERT, CARL, DORA)
REFUSED = Failed(status="5.1.3", reason="no", answer=Answer(code="ErrorInvalidRecipients"))
PIECES = ((ANNA, BERT), (CARL,), (DORA,))
AT = NOON + timedelta(seconds=5)


async def message(spool: Spool, submission: Submission) -> MessageHistory:
    found = await spool.read(HistoryOf(submission.queue_id))
    assert found is not None
    return found


def refused(number: int = 1) -> Attempt:
    return Attempt(number=number, started_at=NOON, finished_at=AT, outcome=REFUSED)


async def test_each_piece_waits_by_itself_with_the_same_octets(spool: Spool) -> None:
    (one,) = await put(spool, message=a_message((plan(), ALL)))
    await spool.begin(one, NOON, "c")

    assert await spool.finish(one, refused(), Divided(AT, PIECES)) == ()

    rows = await spool.read(QueueFilter())
    assert rows[0].submission_id == one.id
    assert [row.state for row in rows] == [Queued(AT)] * 3
    loaded = [await spool.load(row.submission_id) for row in rows]
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
    await spool.begin(one, NOON, "c")
    await spool.finish(one, refused(), Divided(AT, PIECES))

    shown = await spool.read(HistoryOf(one.queue_id))
    assert shown is not None
    first, second, _ = shown.parts
    assert first.history == (refused(),)
    assert second.history == (
        HistoryEvent(at=AT, what="divided", reason=f"split off from {one.queue_id}"),
    )
    for name, where in (("carl", second.queue_id), ("bert", first.queue_id)):
        (row,) = await spool.read(QueueFilter(recipient=f"{name}@example.org"))
        assert row.queue_id == where


async def test_doing_it_again_changes_nothing(spool: Spool) -> None:
    (one,) = await put(spool, message=a_message((plan(), ALL)))
    await spool.begin(one, NOON, "c")
    for _ in range(2):
        await spool.finish(one, refused(), Divided(AT, PIECES))
    assert len(await waiting_in(spool)) == 3
    with pytest.raises(NotQueued):
        await spool.finish(one, refused(7), Divided(AT, PIECES))


async def test_new_mail_and_new_pieces_get_numbers_of_their_own(spool: Spool) -> None:
    (one,) = await put(spool, message=a_message((plan(), ALL)))
    (other,) = await put(spool)
    await spool.begin(one, NOON, "c")
    await spool.finish(one, refused(), Divided(AT, PIECES))
    (third,) = await put(spool)
    ids = [row.submission_id for row in await spool.read(QueueFilter())]
    assert {one.id, other.id, third.id} < set(ids)
    assert len(set(ids)) == len(ids) == 5


async def test_a_piece_may_be_divided_again(spool: Spool) -> None:
    (one,) = await put(spool, message=a_message((plan(), ALL)))
    await spool.begin(one, NOON, "c")
    await spool.finish(one, refused(), Divided(AT, PIECES))
    one = await spool.load(one.id)
    await spool.begin(one, NOON, "d")
    await spool.finish(one, refused(2), Divided(AT, ((ANNA,), (BERT,))))
    loaded = await spool.load((await waiting_in(spool))[-1])
    assert (loaded.queue_id, loaded.envelope.forward_paths) == (f"{one.queue_id}/4", (BERT,))


async def test_the_octets_go_with_the_last_piece(spool: Spool) -> None:
    (one,) = await put(spool, bytes(200_000), a_message((plan(), ALL)))
    await spool.begin(one, NOON, "c")
    await spool.finish(one, refused(), Divided(AT, PIECES))
    for number, waiting in enumerate(await waiting_in(spool)):
        assert (await message(spool, one)).octets_kept
        piece = await spool.load(waiting)
        count = await spool.begin(piece, NOON, f"d{number}")
        await spool.finish(piece, relayed(count), Done("relayed"))
    assert not (await message(spool, one)).octets_kept


async def test_a_draft_that_names_all_of_them_is_never_sent_but_taken_away(spool: Spool) -> None:
    (one,) = await put(spool, message=a_message((plan(), ALL)))
    await spool.begin(one, NOON, "c")
    await spool.keep_draft(one, DraftProgress(id="AAA"))
    await spool.finish(one, refused(), Divided(AT, PIECES))
    assert (await spool.load(one.id)).draft is None
    left = LeftBehind(submission_id=one.id, queue_id=one.queue_id, lane=one.plan.lane, draft="AAA")
    assert await spool.read(LeftDrafts()) == [left]
    await spool.change(ForgetDraft(one.id, "AAA"))
    assert await spool.read(LeftDrafts()) == []


async def test_the_pieces_are_there_after_a_restart(engine: Engine) -> None:
    async with engine() as spool:
        (one,) = await put(spool, message=a_message((plan(), ALL)))
        await spool.begin(one, NOON, "c")
        await spool.finish(one, refused(), Divided(AT, PIECES))
    async with engine() as spool:
        assert await spool.read(InFlight()) == []
        waiting = await waiting_in(spool)
        loaded = [await spool.load(found) for found in waiting]
    assert tuple(found.envelope.forward_paths for found in loaded) == PIECES
