"""Refusals in the mail log: counted, bounded, and written when the spool is available."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from graphrelay.journal import Entry, Journal, events
from graphrelay.model import Origin, StorageUnavailable
from graphrelay.relay.accept.refusals import (
    LONGEST,
    MOST,
    MOST_OF_A_CLIENT,
    OTHERS,
    PAUSE,
    SEVERAL,
    RefusalLog,
)
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import RefusalFilter
from graphrelay.spool.values import Refusal
from tests.clock import FakeClock
from tests.spool import memory


class Door:
    """A spool, and a journal that the log of refusals listens to."""

    def __init__(self, spool: Spool, clock: FakeClock) -> None:
        self.spool = spool
        self.clock = clock
        self.refusals = RefusalLog(clock)
        self.entries: list[Entry] = []
        self.journal = Journal(clock, self.entries.append, self.refusals.hear)

    def refuse(self, client: str = "192.0.2.7", again: bool = False, **details: Any) -> None:
        event = events.RefusedAgain if again else events.Refused
        origin = Origin(listener="l", client=client)
        self.journal.write(event(origin, "RCPT", "550 no", **details))

    async def written(self) -> list[Refusal]:
        await self.refusals.flush(self.spool, self.journal)
        rows = await self.spool.read(RefusalFilter(limit=10_000))
        return [row.refusal for row in rows]


@asynccontextmanager
async def a_door() -> AsyncIterator[Door]:
    clock = FakeClock()
    async with memory.opened(clock, Journal(clock), memory.connect()) as spool:
        yield Door(spool, clock)


async def test_what_is_refused_again_and_again_is_counted() -> None:
    async with a_door() as door:
        began = door.clock.now()
        door.refuse(sender="<>", login="scanner")
        await door.clock.advance(PAUSE)
        door.refuse(sender="<>", login="scanner", again=True)
        (refusal,) = await door.written()
    assert (refusal.times, refusal.since, refusal.at) == (2, began, began + PAUSE)
    assert (refusal.client, refusal.stage, refusal.reply) == ("192.0.2.7", "RCPT", "550 no")
    assert (refusal.sender, refusal.login) == ("<>", "scanner")


async def test_it_is_written_after_a_pause_and_nothing_is_done_while_nothing_is_refused() -> None:
    async with a_door() as door:
        running = asyncio.create_task(door.refusals.run(door.spool, door.journal))
        await door.clock.advance(PAUSE)
        assert door.clock.sleepers == 0
        door.refuse()
        await door.clock.advance(PAUSE)
        assert len(await door.spool.read(RefusalFilter())) == 1
        running.cancel()


async def test_a_file_of_the_drop_folder_that_was_refused_is_among_them() -> None:
    async with a_door() as door:
        refused = events.DropRefused(user="anna", reason="no recipients", file="f", kept="/k")
        door.journal.write(refused)
        (refusal,) = await door.written()
    assert (refusal.client, refusal.stage) == ("unix:anna", "DROP")
    assert refusal.reason == "no recipients; kept as /k"


async def test_one_client_cannot_take_the_room_of_the_others() -> None:
    async with a_door() as door:
        for number in range(MOST_OF_A_CLIENT + 100):
            door.refuse(recipient=f"{number}@example.org")
        door.refuse(client="192.0.2.8")
        of_other, without_details, *rest = await door.written()
    assert (of_other.client, of_other.times) == ("192.0.2.8", 1)
    assert (without_details.reason, without_details.times) == (OTHERS, 100)
    assert len(rest) == MOST_OF_A_CLIENT


async def test_many_clients_do_not_take_more_memory_than_some() -> None:
    async with a_door() as door:
        for number in range(MOST + 1000):
            door.refuse(client=f"2001:db8::{number:x}")
        rows = await door.written()
    assert len(rows) == MOST + 1
    assert [row.times for row in rows if row.client == SEVERAL] == [1000]


async def test_texts_of_a_client_are_cut_to_one_line() -> None:
    async with a_door() as door:
        door.refuse(sender="x" * 100_000, recipient="a\nb", reason="\x1b[31m")
        (refusal,) = await door.written()
    assert (len(refusal.sender), refusal.recipient, refusal.reason) == (LONGEST, "a b", "[31m")


async def test_a_disk_that_is_full_loses_no_count_and_is_reported_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_door() as door:

        async def full(_: object) -> None:
            raise StorageUnavailable("the disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(door.spool, "note_refusals", full)
            for _ in range(3):
                door.refuse()
                await door.refusals.flush(door.spool, door.journal)
        (refusal,) = await door.written()
    assert refusal.times == 3
    told = [e.what for e in door.entries if isinstance(e.what, events.RefusalsNotKept)]
    assert told == [events.RefusalsNotKept(reason="the disk is full")]
