"""How far a draft got stands on the disk, and goes when it does not matter any more."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.model import Delayed, Done, DraftProgress, Failed, Lane, Queued, Relayed, Submission
from graphrelay.spool import Spool
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.sqlite.database.schema import migrations
from graphrelay.spool.sqlite.files.disk import Disk
from graphrelay.spool.sqlite.startup.recovery import Recovery
from tests.clock import FakeClock
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
    await spool.begin_attempt(one.id, NOON, "c")
    return one


async def test_how_far_a_draft_got_outlives_the_process(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        one = await begun(spool)
        await spool.keep_draft(one.id, DraftProgress(id="AAk1", attachments=3))
        await spool.keep_draft(one.id, HALF)
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        assert (await spool.load(one.id)).draft == HALF
        shown = await spool.show(one.queue_id)
        assert shown is not None
        assert shown.parts[0].draft == HALF


async def test_another_attempt_takes_it_up(spool: Spool) -> None:
    one = await begun(spool)
    await spool.keep_draft(one.id, HALF)
    delayed = attempt(Delayed(status="4.4.2", reason="the connection broke"))
    await spool.finish_attempt(one.id, delayed, Queued(NOON))
    assert (await spool.load(one.id)).draft == HALF
    assert await spool.left_behind() == []


async def test_a_draft_is_taken_away_where_its_message_went_another_way(spool: Spool) -> None:
    """In one request, say, since drafts are not allowed any more, and it could not be deleted."""
    one = await begun(spool)
    await spool.keep_draft(one.id, HALF)
    await spool.finish_attempt(one.id, relayed(), Done("relayed"))
    assert [left.draft for left in await spool.left_behind()] == [HALF.id]


async def test_nothing_is_kept_of_a_draft_that_was_sent(spool: Spool) -> None:
    one = await begun(spool)
    await spool.keep_draft(one.id, replace(HALF, sending=True))
    sent = attempt(Relayed(answer=relayed().outcome.answer, lost=HALF.lost))
    await spool.finish_attempt(one.id, sent, Done("relayed"))
    shown = await spool.show(one.queue_id)
    assert shown is not None
    assert shown.parts[0].draft is None
    assert shown.parts[0].history == (sent,)
    assert await spool.left_behind() == []


async def test_a_draft_of_what_was_given_up_is_told_until_it_is_taken_away(spool: Spool) -> None:
    one = await begun(spool)
    await spool.keep_draft(one.id, HALF)
    await spool.finish_attempt(one.id, FAILED, Done("failed"))
    two = await begun(spool)
    await spool.keep_draft(two.id, DraftProgress(id="AAk2"))
    await spool.finish_attempt(
        two.id, attempt(Delayed(status="4.4.2", reason="broke")), Queued(NOON)
    )
    await spool.delete(two.queue_id, "not wanted")
    left = await spool.left_behind()
    assert [(one.queue_id, one.draft) for one in left] == [
        (one.queue_id, "AAk1"),
        (two.queue_id, "AAk2"),
    ]
    await spool.forget_draft(one.id, "another")
    await spool.forget_draft(two.id, "AAk2")
    assert [one.draft for one in await spool.left_behind()] == ["AAk1"]


async def test_only_an_attempt_that_is_under_way_makes_drafts(spool: Spool) -> None:
    (one,) = await put(spool)
    with pytest.raises(NotQueued):
        await spool.keep_draft(one.id, HALF)


async def test_old_mail_is_forgotten_with_its_draft(spool: Spool, clock: FakeClock) -> None:
    one = await begun(spool)
    await spool.keep_draft(one.id, HALF)
    await spool.finish_attempt(one.id, FAILED, Done("failed"))
    await clock.advance(timedelta(days=91))
    assert await spool.prune(timedelta(days=90)) == 1
    assert await spool.left_behind() == []


async def test_a_draft_in_whose_place_another_was_begun_is_to_be_taken_away(
    spool: Spool,
) -> None:
    one = await begun(spool)
    delayed = attempt(Delayed(status="4.4.2", reason="the connection broke"))
    for name in ("AAk1", "AAk2"):
        await spool.keep_draft(one.id, DraftProgress(id=name))
    assert await spool.left_behind() == []  # The attempt may find it yet, and send it.
    await spool.finish_attempt(one.id, delayed, Queued(NOON))
    assert [left.draft for left in await spool.left_behind()] == ["AAk1"]
    await spool.begin_attempt(one.id, NOON, "d")
    there = DraftProgress(id="AAk1", sending=True)
    await spool.keep_draft(one.id, there)  # It goes on there after all.
    assert (await spool.load(one.id)).draft == there
    sent = attempt(Relayed(answer=relayed().outcome.answer), number=2)
    await spool.finish_attempt(one.id, sent, Done("relayed"))
    assert [left.draft for left in await spool.left_behind()] == ["AAk2"]


async def test_a_draft_that_was_left_is_looked_for_where_it_was_made(spool: Spool) -> None:
    one = await begun(spool)
    for name in ("AAk1", "AAk2"):
        await spool.keep_draft(one.id, DraftProgress(id=name))
    delayed = attempt(Delayed(status="4.4.2", reason="the connection broke"))
    await spool.finish_attempt(one.id, delayed, Queued(NOON))
    assert await spool.move(one.id, plan(Lane("other", "other@contoso.com")), "it is paused")
    assert [left.lane for left in await spool.left_behind()] == [one.plan.lane]


async def test_a_draft_that_was_left_outlives_damage_and_goes_with_old_mail(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        one = await begun(spool)
        for name in ("AAk1", "AAk2"):
            await spool.keep_draft(one.id, DraftProgress(id=name))
    assert recover(tmp_path, None) == 1
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        await spool.finish_attempt(one.id, FAILED, Done("failed"))
        assert {left.draft for left in await spool.left_behind()} == {"AAk1", "AAk2"}
        await clock.advance(timedelta(days=91))
        assert await spool.prune(timedelta(days=90)) == 1
        assert await spool.left_behind() == []


def recover(directory: Path, version: int | None) -> int:
    """How many submissions were saved."""
    database, bodies = directory / "spool.db", directory / "bodies"
    return Recovery(database, bodies, migrations(), Disk(), NOON).run(version).submissions


async def test_it_is_carried_over_out_of_a_damaged_database(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        one = await begun(spool)
        await spool.keep_draft(one.id, HALF)
    assert recover(tmp_path, None) == 1
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        assert (await spool.load(one.id)).draft == HALF


@pytest.mark.parametrize("version", [1, None])
async def test_a_damaged_database_from_before_drafts_is_recovered(
    tmp_path: Path, clock: FakeClock, journal: Journal, version: int | None
) -> None:
    async with Spool.open(tmp_path, clock, journal, reserve=0, steps=migrations()[:1]):
        pass
    assert recover(tmp_path, version) == 0


def test_the_address_of_an_upload_session_is_not_shown() -> None:
    assert "secret" not in repr(HALF)
