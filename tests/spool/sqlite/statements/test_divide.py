"""Dividing is one transaction."""

from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.model import StorageUnavailable
from graphrelay.spool.queries import InFlight
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.values import Divided
from tests.clock import FakeClock
from tests.spool.contract.test_divide import ALL, AT, PIECES, refused
from tests.spool.faulty import FaultyDisk, database_full
from tests.spool.mail import NOON, a_message, plan, put, waiting_in


async def test_a_full_disk_divides_nothing_and_later_all_of_it(tmp_path: Path) -> None:
    disk, clock = FaultyDisk(), FakeClock()
    async with SqliteSpool.open(
        tmp_path / "spool", clock, Journal(clock), reserve=0, disk=disk
    ) as spool:
        (one,) = await put(spool, message=a_message((plan(), ALL)))
        await spool.begin(one, NOON, "c")
        disk.fail("commit", database_full())
        with pytest.raises(StorageUnavailable):
            await spool.finish(one, refused(), Divided(AT, PIECES))
        assert (await spool.load(one.id)).envelope.forward_paths == ALL
        assert [found.number for found in await spool.read(InFlight())] == [1]
        await spool.finish(one, refused(), Divided(AT, PIECES))
        waiting = await waiting_in(spool)
        loaded = [await spool.load(found) for found in waiting]
    assert tuple(found.envelope.forward_paths for found in loaded) == PIECES
