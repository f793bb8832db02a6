"""Drafts survive damage to the database, and are deleted with old mail."""

from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.model import Done, DraftProgress
from graphrelay.spool.queries import LeftDrafts
from graphrelay.spool.sqlite import Disk, SqliteSpool
from graphrelay.spool.sqlite.database.schema import migrations
from graphrelay.spool.sqlite.startup.recovery import Recovery
from tests.clock import FakeClock
from tests.spool.contract.test_drafts import FAILED, HALF, begun
from tests.spool.mail import NOON


async def test_old_mail_is_forgotten_with_its_draft(spool: SqliteSpool, clock: FakeClock) -> None:
    one = await begun(spool)
    await spool.keep_draft(one, HALF)
    await spool.finish(one, FAILED, Done("failed"))
    await clock.advance(timedelta(days=91))
    assert await spool.prune(timedelta(days=90)) == 1
    assert await spool.read(LeftDrafts()) == []


async def test_a_draft_that_was_left_outlives_damage_and_goes_with_old_mail(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        one = await begun(spool)
        for name in ("AAk1", "AAk2"):
            await spool.keep_draft(one, DraftProgress(id=name))
    assert recover(tmp_path, None) == 1
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        await spool.finish(one, FAILED, Done("failed"))
        assert {left.draft for left in await spool.read(LeftDrafts())} == {"AAk1", "AAk2"}
        await clock.advance(timedelta(days=91))
        assert await spool.prune(timedelta(days=90)) == 1
        assert await spool.read(LeftDrafts()) == []


async def test_it_is_carried_over_out_of_a_damaged_database(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        one = await begun(spool)
        await spool.keep_draft(one, HALF)
    assert recover(tmp_path, None) == 1
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        assert (await spool.load(one.id)).draft == HALF


def recover(directory: Path, version: int | None) -> int:
    """How many submissions were saved."""
    database, bodies = directory / "spool.db", directory / "bodies"
    return Recovery(database, bodies, migrations(), Disk(), NOON).run(version).submissions


@pytest.mark.parametrize("version", [1, None])
async def test_a_damaged_database_from_before_drafts_is_recovered(
    tmp_path: Path, clock: FakeClock, journal: Journal, version: int | None
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0, steps=migrations()[:1]):
        pass
    assert recover(tmp_path, version) == 0
