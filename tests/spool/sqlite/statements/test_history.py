"""The log by sender and recipient: correct, and no more expensive the more mail they have."""

import sqlite3

import pytest

from graphrelay.journal import Journal
from graphrelay.model import Done
from graphrelay.spool.queries import LogFilter
from graphrelay.spool.sqlite.statements import history
from tests.clock import FakeClock
from tests.spool import memory
from tests.spool.mail import ANNA, BERT, NOON, a_message, plan, put, relayed

ANNAS = LogFilter(recipient=str(ANNA), limit=3)


async def filled(count: int) -> sqlite3.Connection:
    """So many relayed messages to Anna, and after each third one to Bert."""
    connection = memory.connect()
    clock = FakeClock()
    async with memory.opened(clock, Journal(clock), connection) as spool:
        for number in range(count):
            recipients = [ANNA, BERT] if number % 3 == 2 else [ANNA]
            for recipient in recipients:
                (one,) = await put(spool, message=a_message((plan(), (recipient,))))
                attempt = await spool.begin(one, NOON, "c")
                await spool.finish(one, relayed(attempt), Done("relayed"))
    return connection


def steps(connection: sqlite3.Connection, wanted: LogFilter, lately: int) -> int:
    """How many hundred steps SQLite's machine takes for it."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    connection.set_progress_handler(count, 100)
    try:
        history.log(connection, wanted, lately)
    finally:
        connection.set_progress_handler(None, 0)
    return taken


@pytest.mark.parametrize("lately", [1, 2, 5, 1_000])
@pytest.mark.parametrize("before", [None, 1, 2, 9, 100])
@pytest.mark.parametrize("who", [ANNA, BERT])
async def test_however_far_is_looked_back_first_the_rows_are_the_same(
    lately: int, before: int | None, who: object
) -> None:
    connection = await filled(12)
    wanted = LogFilter(recipient=str(who), before_id=before, limit=3)
    ids = [row.id for row in history.log(connection, wanted, lately)]
    names = "SELECT l.id FROM log l JOIN recipients r ON r.submission = l.submission"
    expected = connection.execute(
        f"{names} WHERE r.address_key = ? AND l.id < ? ORDER BY l.id DESC LIMIT 3",
        (str(who).lower(), before or 10_000),
    )
    assert ids == [one for (one,) in expected]


@pytest.mark.parametrize("wanted", [ANNAS, LogFilter(sender="wp@contoso.com", limit=3)])
async def test_the_newest_of_much_mail_are_found_without_reading_all_of_it(
    wanted: LogFilter,
) -> None:
    small, large = await filled(40), await filled(320)
    assert steps(large, wanted, 50) <= steps(small, wanted, 50) + 2
    assert steps(large, wanted, 0) > 4 * steps(small, wanted, 0), "the index alone would"
