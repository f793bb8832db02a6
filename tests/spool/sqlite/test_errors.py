"""Failures of the machine become `StorageUnavailable` with advice; bugs stay what they are."""

import errno
import sqlite3
from pathlib import Path

import pytest

from graphrelay.model import StorageUnavailable
from graphrelay.spool.sqlite.errors import is_damage, is_full, translated
from tests.spool.faulty import database_error, database_full, database_not_synced, io_error, no_room

WHERE = Path("/var/spool")
DAMAGED = database_error(sqlite3.SQLITE_CORRUPT, "SQLITE_CORRUPT")
DAMAGED_INDEX = database_error(sqlite3.SQLITE_CORRUPT_INDEX, "SQLITE_CORRUPT_INDEX")


@pytest.mark.parametrize(
    ("error", "reason", "advice"),
    [
        (no_room(), "No space left on device", "Free some space there;"),
        (OSError(errno.EDQUOT, "over quota"), "Disk quota exceeded", "Free some space there;"),
        (database_full(), "SQLITE_FULL", "Free some space there;"),
        (io_error(), "Input/output error", "Look at the disk and its mount;"),
        (database_not_synced(), "SQLITE_IOERR_FSYNC", "Look at the disk and its mount;"),
        (DAMAGED_INDEX, "SQLITE_CORRUPT_INDEX", "Restart the relay:"),
        (MemoryError(), "there is not enough memory", "Give the relay more,"),
    ],
    ids=str,
)
def test_a_failure_of_the_machine_says_what_happened_and_what_to_do(
    error: Exception, reason: str, advice: str
) -> None:
    said = translated(error, "accept mail", WHERE)

    assert isinstance(said, StorageUnavailable)
    assert said.__cause__ is error
    assert str(said).startswith("The spool could not accept mail in /var/spool: ")
    assert reason in str(said)
    assert advice in str(said)


@pytest.mark.parametrize(
    "error",
    [sqlite3.IntegrityError("UNIQUE"), sqlite3.ProgrammingError("closed"), KeyError("x")],
    ids=repr,
)
def test_a_bug_is_passed_on_unchanged(error: Exception) -> None:
    assert translated(error, "accept mail", WHERE) is error


def test_the_cause_keeps_no_frames_that_hold_octets() -> None:
    try:
        raise database_full()
    except sqlite3.Error as error:
        said = translated(error, "accept mail", WHERE)
    assert said.__cause__ is not None
    assert said.__cause__.__traceback__ is None


def test_damage_and_a_full_disk_are_distinguished_by_the_code() -> None:
    assert is_damage(DAMAGED)
    assert is_damage(DAMAGED_INDEX)
    assert not is_damage(database_full())
    assert not is_damage(OSError(errno.EIO, "SQLITE_CORRUPT"))
    assert is_full(database_full())
    assert is_full(no_room())
    assert not is_full(io_error())
    assert not is_full(None)
