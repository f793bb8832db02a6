"""The cost of finding due mail does not grow with the queue. What is due, in which order, and which
lanes exist is tested for every engine in tests/spool/contract/test_take.py."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from graphrelay.journal import Journal
from graphrelay.model import Address, Lane
from graphrelay.spool.sqlite.statements.due import TakeDue, lanes
from graphrelay.spool.values import Take
from tests.clock import FakeClock
from tests.spool.mail import ANNA, NOON, ORIGIN, WEBSITE, a_message, plan, put
from tests.spool.memory import MemorySpool

ASKED = Take(lane=WEBSITE, limit=16, longest_wait=timedelta(hours=1))
TAKE = TakeDue(ASKED, NOON)
LATER_TURN = TakeDue(
    replace(
        ASKED,
        after_small={
            (): "",
            ("",): ORIGIN.client,
            ("", ORIGIN.client): "sender4@contoso.com",
        },
    ),
    NOON,
)
"""The last in its turn was the one login with its one client, and the fifth of its senders."""


async def queued(clock: FakeClock, journal: Journal, each: int) -> sqlite3.Connection:
    """`each` messages of ten senders in each of three lanes."""
    spool = MemorySpool(clock, journal)
    for lane in (WEBSITE, Lane("alerts", "a@contoso.com"), Lane("zeta", "z@contoso.com")):
        for number in range(each * 10):
            sender = Address(f"sender{number % 10}", "contoso.com")
            await put(spool, message=a_message((plan(lane), (ANNA,)), sender=sender))
    return spool.connection


def steps(connection: sqlite3.Connection, read: Callable[[sqlite3.Connection], object]) -> int:
    """How many instructions of SQLite's virtual machine reading takes, in hundreds."""
    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1

    connection.set_progress_handler(step, 100)
    read(connection)
    connection.set_progress_handler(None, 0)
    return taken


@pytest.mark.parametrize("read", [TAKE, LATER_TURN, lanes], ids=["take", "later turn", "lanes"])
async def test_reading_takes_no_longer_where_much_more_is_queued(
    clock: FakeClock, journal: Journal, read: Callable[[sqlite3.Connection], object]
) -> None:
    few = steps(await queued(clock, journal, 2), read)
    many = steps(await queued(clock, journal, 50), read)
    assert many <= few * 1.5 + 2
