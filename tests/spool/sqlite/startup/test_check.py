"""The check at startup finds damage, changes nothing, and postpones what takes too long."""

import asyncio
import gc
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from graphrelay.spool.sqlite.files.disk import Disk
from graphrelay.spool.sqlite.startup import check
from graphrelay.spool.sqlite.startup.check import (
    MARK,
    Damaged,
    Later,
    Sound,
    behind,
    check_at_start,
)

PAGE = 4096
ENDLESS = """WITH RECURSIVE n(x) AS (SELECT tell() UNION ALL SELECT 1 FROM n)
    SELECT count(*) FROM n"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Some pages of rows in a table that the spool has, too."""
    file = tmp_path / "spool.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE}")
        for table in ("messages", "bodies", "submissions", "recipients", "in_flight", "log"):
            connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, octets BLOB)")
        connection.executemany("INSERT INTO log (octets) VALUES (?)", [(bytes(3000),)] * 20)
        connection.execute("PRAGMA user_version = 7")
        connection.commit()
    return file


def damage(database: Path) -> None:
    """Overwrites the last pages, in which the rows of the log are."""
    octets = bytearray(database.read_bytes())
    octets[-5 * PAGE :] = b"\xff" * (5 * PAGE)
    database.write_bytes(octets)


def test_a_sound_database_is_sound_and_stays_as_it_is(database: Path) -> None:
    before = database.read_bytes()
    assert check_at_start(database, Disk()) == Sound(7)
    assert database.read_bytes() == before
    assert [file.name for file in database.parent.iterdir()] == ["spool.db"]


def test_damage_is_described_with_the_version(database: Path) -> None:
    damage(database)
    found = check_at_start(database, Disk())
    assert isinstance(found, Damaged)
    assert found.version == 7
    assert found.what


def test_of_what_is_no_database_not_even_the_version_is_known(database: Path) -> None:
    database.write_bytes(b"no database at all " * 500)
    found = check_at_start(database, Disk())
    assert isinstance(found, Damaged)
    assert found.version is None


def test_a_large_database_is_checked_later_unless_a_mark_demands_it_now(database: Path) -> None:
    damage(database)
    assert check_at_start(database, Disk(), at_once=PAGE) == Later(7)
    (database.parent / MARK).touch()
    assert isinstance(check_at_start(database, Disk(), at_once=PAGE), Damaged)


async def test_a_check_beside_the_running_relay_finds_the_same_damage(database: Path) -> None:
    assert await behind(database, Disk()) == ""
    damage(database)
    assert await behind(database, Disk()) != ""


async def test_a_check_that_is_cancelled_leaves_no_complaint_of_asyncio(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the relay is stopped soon after its start."""
    begun, complaints = threading.Event(), list[dict[str, Any]]()

    def endless(connection: sqlite3.Connection, _: str) -> str:
        connection.create_function("tell", 0, begun.set)
        [(count,)] = connection.execute(ENDLESS).fetchall()
        return str(count)

    monkeypatch.setattr(check, "problem", endless)
    asyncio.get_running_loop().set_exception_handler(lambda _, found: complaints.append(found))
    checking = asyncio.create_task(behind(database, Disk()))
    assert await asyncio.to_thread(begun.wait, 20)
    checking.cancel()
    await asyncio.wait([checking])
    assert checking.cancelled()
    del checking
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []
