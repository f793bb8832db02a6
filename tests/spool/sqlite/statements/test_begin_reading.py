"""A message that no process survives reading is held; one that is merely read again is not."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from graphrelay.journal import Entry, Journal
from graphrelay.model import Held, Queued
from graphrelay.spool import MailLost, NotQueued, Spool
from graphrelay.spool.sqlite.statements.begin_reading import ENDED
from tests.clock import FakeClock
from tests.spool.mail import NOON, put

Life = Callable[[Callable[[Spool], Awaitable[None]]], Awaitable[None]]


@pytest.fixture
def life(tmp_path: Path, clock: FakeClock, journal: Journal) -> Life:
    """What a process does from its start to its end."""

    async def live(does: Callable[[Spool], Awaitable[None]]) -> None:
        async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
            await does(spool)

    return live


async def read_all(spool: Spool) -> None:
    for waiting in await spool.waiting():
        await spool.begin_reading(waiting.submission_id)


async def new_mail(spool: Spool) -> None:
    await put(spool)


async def test_what_ends_three_processes_is_held_with_the_reason(
    life: Life, entries: list[Entry]
) -> None:
    await life(new_mail)
    for _ in range(3):
        await life(read_all)

    async def fourth(spool: Spool) -> None:
        with pytest.raises(MailLost, match="ended 3 times"):
            await read_all(spool)
        (row,) = await spool.queue()
        assert row.state == Held(ENDED)
        assert await spool.waiting() == []

    await life(fourth)
    assert [entry.fields["reason"] for entry in entries if entry.event == "held"] == [ENDED]


async def test_what_a_person_releases_gets_three_more(life: Life) -> None:
    await life(new_mail)
    for _ in range(3):
        await life(read_all)

    async def released(spool: Spool) -> None:
        with pytest.raises(MailLost):
            await read_all(spool)
        await spool.release(1, NOON)
        await read_all(spool)

    await life(released)
    await life(read_all)
    await life(read_all)


async def test_a_process_counts_once_and_an_attempt_that_begins_ends_the_count(life: Life) -> None:
    async def often(spool: Spool) -> None:
        for _ in range(9):
            await read_all(spool)

    async def begins(spool: Spool) -> None:
        await read_all(spool)
        await spool.begin_attempt(1, NOON, "c")

    await life(new_mail)
    await life(often)
    await life(often)
    await life(begins)

    async def not_counted(spool: Spool) -> None:
        with pytest.raises(NotQueued):
            await spool.begin_reading(1)
        (interrupted,) = await spool.interrupted()
        assert interrupted.number == 1

    await life(not_counted)


async def test_a_message_that_is_being_read_waits_and_may_be_deleted(spool: Spool) -> None:
    (one,) = await put(spool)
    await spool.begin_reading(one.id)
    (row,) = await spool.queue()
    assert isinstance(row.state, Queued)
    await spool.delete(one.queue_id, "")
    assert await spool.queue() == []
