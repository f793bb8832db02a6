"""Finding a message whose octets are still there."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.control.verb import VerbError
from graphrelay.control.verbs.stored_message import any_with_octets
from graphrelay.journal import Journal
from graphrelay.model import Address, Done
from graphrelay.spool.contract import Spool
from graphrelay.spool.sqlite import SqliteSpool
from tests.clock import FakeClock
from tests.spool.mail import ANNA, NOON, a_message, plan, put, relayed

PARTS = ((plan(), (ANNA,)), (plan(), (Address("bert", "example.org"),)))


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    clock = FakeClock()
    path, journal = tmp_path / "spool", Journal(clock)
    day = timedelta(days=1)
    async with SqliteSpool.open(path, clock, journal, reserve=0, keep_messages=day) as opened:
        yield opened


async def finish(spool: Spool, *parts: object) -> None:
    for part in parts:
        number = await spool.begin(part, NOON, "c")  # type: ignore[arg-type]
        await spool.finish(part, relayed(number), Done("relayed"))  # type: ignore[arg-type]


async def test_a_part_that_is_not_done_comes_first(spool: Spool) -> None:
    first, second = await put(spool, message=a_message(*PARTS))
    await finish(spool, first)
    assert (await any_with_octets(spool, first.queue_id)).id == second.id
    await finish(spool, second)
    assert (await any_with_octets(spool, first.queue_id)).id == first.id


async def test_a_message_that_there_is_not_is_an_error(spool: Spool) -> None:
    with pytest.raises(VerbError, match="no message 0000000000"):
        await any_with_octets(spool, "0000000000")
