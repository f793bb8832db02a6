"""A message that crashes every process that reads it is held; one that is merely read again is
not."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from graphrelay.journal import Entry
from graphrelay.model import Held, Queued
from graphrelay.spool.changes import Delete, Release
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import ENDED, MailLost, NotQueued
from graphrelay.spool.queries import InFlight, QueueFilter
from graphrelay.spool.values import Take
from tests.spool.contract.conftest import Engine
from tests.spool.mail import NOON, WEBSITE, entry, put, waiting_in

Life = Callable[[Callable[[Spool], Awaitable[None]]], Awaitable[None]]


@pytest.fixture
def life(engine: Engine) -> Life:
    """What a process does from its start to its end."""

    async def live(does: Callable[[Spool], Awaitable[None]]) -> None:
        async with engine() as spool:
            await does(spool)

    return live


async def read_all(spool: Spool) -> None:
    for number in await waiting_in(spool):
        await spool.load_to_send(entry(await spool.load(number)))


async def new_mail(spool: Spool) -> None:
    await put(spool)


async def test_what_ends_three_processes_is_held_with_the_reason(
    life: Life, entries: list[Entry]
) -> None:
    await life(new_mail)
    for _ in range(3):
        await life(read_all)

    async def fourth(spool: Spool) -> None:
        with pytest.raises(MailLost, match="died 3 times"):
            await read_all(spool)
        (row,) = await spool.read(QueueFilter())
        assert row.state == Held(ENDED)
        assert await waiting_in(spool) == []

    await life(fourth)
    assert [entry.fields["reason"] for entry in entries if entry.event == "held"] == [ENDED]


async def test_the_next_process_knows_what_the_one_before_it_read_when_it_ended(life: Life) -> None:
    async def reads_one_of_two(spool: Spool) -> None:
        (one,), _ = await put(spool), await put(spool)
        await spool.load_to_send(entry(one))

    async def sees(spool: Spool) -> None:
        found = await spool.take(Take(lane=WEBSITE, limit=16, longest_wait=timedelta(hours=1)))
        assert [one.suspect for one in found.entries] == [True, False]

    await life(reads_one_of_two)
    await life(sees)


async def test_what_a_person_releases_gets_three_more(life: Life) -> None:
    await life(new_mail)
    for _ in range(3):
        await life(read_all)

    async def released(spool: Spool) -> None:
        with pytest.raises(MailLost):
            await read_all(spool)
        await spool.change(Release(1))
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
        await spool.begin(await spool.load(1), NOON, "c")

    await life(new_mail)
    await life(often)
    await life(often)
    await life(begins)

    async def not_counted(spool: Spool) -> None:
        with pytest.raises(NotQueued):
            await spool.load_to_send(entry(await spool.load(1)))
        (interrupted,) = await spool.read(InFlight())
        assert interrupted.number == 1

    await life(not_counted)


async def test_a_message_that_is_being_read_waits_and_may_be_deleted(spool: Spool) -> None:
    (one,) = await put(spool)
    await spool.load_to_send(entry(one))
    (row,) = await spool.read(QueueFilter())
    assert isinstance(row.state, Queued)
    await spool.change(Delete(one.queue_id, ""))
    assert await spool.read(QueueFilter()) == []
