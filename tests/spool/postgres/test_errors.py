"""Failures of the server are not reported as bugs, and bugs not as failures."""

import psycopg
import pytest
from psycopg import errors

from graphrelay.clock import SystemClock
from graphrelay.journal import Journal
from graphrelay.model import StorageAway, StorageUnavailable
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.postgres.errors import connection_lost, translated


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (psycopg.OperationalError("connection refused"), "Look at the server"),
        (errors.DiskFull("no space"), "Free some space"),
        (errors.ReadOnlySqlTransaction("read-only"), "primary"),
        (errors.UndefinedTable("no such table"), "graphrelay spool init"),
    ],
)
def test_what_an_admin_can_end_is_said_with_what_to_do(error: psycopg.Error, says: str) -> None:
    found = translated(error, "take a message")
    assert isinstance(found, StorageUnavailable)
    assert says in str(found)


def test_only_a_full_disk_is_a_lack_of_room() -> None:
    assert isinstance(translated(psycopg.OperationalError("refused"), "take"), StorageAway)
    assert isinstance(translated(errors.ReadOnlySqlTransaction("standby"), "take"), StorageAway)
    assert not isinstance(translated(errors.DiskFull("no space"), "take"), StorageAway)


@pytest.mark.parametrize(
    "error", [errors.SyntaxError("x"), errors.UniqueViolation("x"), ValueError()]
)
def test_a_mistake_of_ours_stays_what_it_is(error: Exception) -> None:
    assert translated(error, "take a message") is error


def test_an_answer_that_did_not_come_is_distinguished_from_one_that_says_no() -> None:
    assert connection_lost(psycopg.OperationalError("server closed the connection"))
    assert connection_lost(errors.AdminShutdown("terminating"))
    assert not connection_lost(errors.DiskFull("no space"))
    assert not connection_lost(errors.DeadlockDetected("deadlock"))


async def test_a_relay_that_cannot_start_does_not_say_that_it_goes_on(journal: Journal) -> None:
    clock = SystemClock()
    with pytest.raises(StorageUnavailable, match="This process ends") as caught:
        async with PostgresSpool.open("postgresql://127.0.0.1:1/none", clock, journal):
            pass
    assert "goes on" not in str(caught.value)
