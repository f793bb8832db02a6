"""The progress of a draft is on the disk, and is deleted when it no longer matters."""

from dataclasses import replace

import pytest

from graphrelay.model import Delayed, Done, DraftProgress, Failed, Lane, Queued, Relayed, Submission
from graphrelay.spool.changes import Changed, Delete, ForgetDraft, Move
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.queries import HistoryOf, LeftDrafts
from tests.spool.contract.conftest import Engine
from tests.spool.mail import NOON, attempt, plan, put, relayed

HALF = DraftProgress(
    id="AAk1",
    attachments=3,
    attached=1,
    upload_url="https://outlook.example/x?authtoken=secret",
    uploaded=3_276_800,
    lost=("the header field Date",),
)
FAILED = attempt(Failed(status="5.1.3", reason="no such recipient"))


async def begun(spool: Spool) -> Submission:
    (one,) = await put(spool)
    await spool.begin(one, NOON, "c")
    return one


async def test_how_far_a_draft_got_outlives_the_process(
    engine: Engine,
) -> None:
    async with engine() as spool:
        one = await begun(spool)
        await spool.keep_draft(one, DraftProgress(id="AAk1", attachments=3))
        await spool.keep_draft(one, HALF)
    async with engine() as spool:
        assert (await spool.load(one.id)).draft == HALF
        shown = await spool.read(HistoryOf(one.queue_id))
        assert shown is not None
        assert shown.parts[0].draft == HALF


async def test_another_attempt_takes_it_up(spool: Spool) -> None:
    one = await begun(spool)
    await spool.keep_draft(one, HALF)
    delayed = attempt(Delayed(status="4.4.2", reason="the connection broke"))
    await spool.finish(one, delayed, Queued(NOON))
    assert (await spool.load(one.id)).draft == HALF
    assert await spool.read(LeftDrafts()) == []


async def test_a_draft_is_taken_away_where_its_message_went_another_way(spool: Spool) -> None:
    """For example in one request, since drafts are no longer allowed, and the draft could not be
    deleted."""
    one = await begun(spool)
    await spool.keep_draft(one, HALF)
    await spool.finish(one, relayed(), Done("relayed"))
    assert [left.draft for left in await spool.read(LeftDrafts())] == [HALF.id]


async def test_nothing_is_kept_of_a_draft_that_was_sent(spool: Spool) -> None:
    one = await begun(spool)
    await spool.keep_draft(one, replace(HALF, sending=True))
    sent = attempt(Relayed(answer=relayed().outcome.answer, lost=HALF.lost))
    await spool.finish(one, sent, Done("relayed"))
    shown = await spool.read(HistoryOf(one.queue_id))
    assert shown is not None
    assert shown.parts[0].draft is None
    assert shown.parts[0].history == (sent,)
    assert await spool.read(LeftDrafts()) == []


async def test_a_draft_of_what_was_given_up_is_reported_until_it_is_taken_away(
    spool: Spool,
) -> None:
    one = await begun(spool)
    await spool.keep_draft(one, HALF)
    await spool.finish(one, FAILED, Done("failed"))
    two = await begun(spool)
    await spool.keep_draft(two, DraftProgress(id="AAk2"))
    await spool.finish(two, attempt(Delayed(status="4.4.2", reason="broke")), Queued(NOON))
    await spool.change(Delete(two.queue_id, "not wanted"))
    left = await spool.read(LeftDrafts())
    assert [(one.queue_id, one.draft) for one in left] == [
        (one.queue_id, "AAk1"),
        (two.queue_id, "AAk2"),
    ]
    await spool.change(ForgetDraft(one.id, "another"))
    await spool.change(ForgetDraft(two.id, "AAk2"))
    assert [one.draft for one in await spool.read(LeftDrafts())] == ["AAk1"]


async def test_only_an_attempt_that_is_under_way_makes_drafts(spool: Spool) -> None:
    (one,) = await put(spool)
    with pytest.raises(NotQueued):
        await spool.keep_draft(one, HALF)


async def test_a_draft_in_whose_place_another_was_begun_is_to_be_taken_away(
    spool: Spool,
) -> None:
    one = await begun(spool)
    delayed = attempt(Delayed(status="4.4.2", reason="the connection broke"))
    for name in ("AAk1", "AAk2"):
        await spool.keep_draft(one, DraftProgress(id=name))
    assert await spool.read(LeftDrafts()) == []  # The attempt may still find it, and send it.
    await spool.finish(one, delayed, Queued(NOON))
    assert [left.draft for left in await spool.read(LeftDrafts())] == ["AAk1"]
    await spool.begin(await spool.load(one.id), NOON, "d")
    there = DraftProgress(id="AAk1", sending=True)
    await spool.keep_draft(one, there)  # It is continued there after all.
    assert (await spool.load(one.id)).draft == there
    sent = attempt(Relayed(answer=relayed().outcome.answer), number=2)
    await spool.finish(one, sent, Done("relayed"))
    assert [left.draft for left in await spool.read(LeftDrafts())] == ["AAk2"]


async def test_a_draft_that_was_left_is_looked_for_where_it_was_made(spool: Spool) -> None:
    one = await begun(spool)
    for name in ("AAk1", "AAk2"):
        await spool.keep_draft(one, DraftProgress(id=name))
    delayed = attempt(Delayed(status="4.4.2", reason="the connection broke"))
    await spool.finish(one, delayed, Queued(NOON))
    other = plan(Lane("other", "other@contoso.com"))
    assert isinstance(await spool.change(Move(one.id, other, "it is paused")), Changed)
    assert [left.lane for left in await spool.read(LeftDrafts())] == [one.plan.lane]


def test_the_address_of_an_upload_session_is_not_shown() -> None:
    assert "secret" not in repr(HALF)
