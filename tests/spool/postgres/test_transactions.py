"""A transaction of its own is carried to its end, and tried again after a conflict."""

import asyncio

import psycopg
import pytest

from graphrelay.model import StorageUnavailable
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.writer import TRIES


async def test_it_is_carried_to_its_end_where_its_caller_is_cancelled(
    spool: PostgresSpool,
) -> None:
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(connection: Connection) -> None:
        begun.set()
        await go_on.wait()
        await connection.execute("SELECT 1")
        ended.set()

    caller = asyncio.create_task(spool._transactions.run(work, "try"))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    async with asyncio.timeout(10):
        await ended.wait()


@pytest.mark.parametrize("conflicts", [TRIES - 1, TRIES])
async def test_it_is_tried_again_a_few_times_where_another_relay_was_at_the_same_rows(
    spool: PostgresSpool, conflicts: int
) -> None:
    tries = 0

    async def work(connection: Connection) -> int:
        nonlocal tries
        tries += 1
        if tries <= conflicts:
            raise psycopg.errors.DeadlockDetected("deadlock detected")
        return tries

    asked = spool._transactions.run(work, "try")
    if conflicts < TRIES:
        assert await asked == TRIES
    else:
        with pytest.raises(StorageUnavailable, match="could not try"):
            await asked
