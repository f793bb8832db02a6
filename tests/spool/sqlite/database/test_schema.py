"""Upgrades: all or nothing, with a copy, and never backwards."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphrelay.journal import Entry, Journal
from graphrelay.spool.errors import SpoolTooNew
from graphrelay.spool.sqlite import Disk, SqliteSpool
from graphrelay.spool.sqlite.database.schema import (
    Migration,
    configure,
    migrate,
    migrations,
    version_of,
)
from tests.clock import FakeClock
from tests.spool.faulty import FaultyDisk, database_full, no_room

ONE = Migration(1, "CREATE TABLE mail (id INTEGER PRIMARY KEY, who TEXT);\n")
TWO = Migration(
    2,
    """
    ALTER TABLE mail ADD COLUMN at INTEGER;
    -- a semicolon; in a comment, and one in a text
    INSERT INTO mail (who, at) VALUES ('a;b', 7);
    """,
)
BROKEN = Migration(3, "INSERT INTO mail (who) VALUES ('c'); INSERT INTO nowhere VALUES (1);")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    connection = Disk().connect(path)
    configure(connection)
    yield connection
    connection.close()


def rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT * FROM mail").fetchall()


def test_a_new_database_gets_all_steps_and_needs_no_copy(
    connection: sqlite3.Connection, path: Path
) -> None:
    assert migrate(connection, path, [ONE, TWO], Disk()) == (0, 2)
    assert rows(connection) == [(1, "a;b", 7)]
    assert sorted(file.name for file in path.parent.glob("*version*")) == []


def test_an_older_one_gets_the_rest_and_leaves_a_copy(
    connection: sqlite3.Connection, path: Path
) -> None:
    migrate(connection, path, [ONE], Disk())
    connection.execute("INSERT INTO mail (who) VALUES ('old')")

    assert migrate(connection, path, [ONE, TWO], Disk()) == (1, 2)

    assert rows(connection) == [(1, "old", None), (2, "a;b", 7)]
    copy = sqlite3.connect(path.with_name("spool.db.version-1"))
    assert version_of(copy) == 1
    assert rows(copy) == [(1, "old")]
    copy.close()
    assert path.with_name("spool.db.version-1").stat().st_mode & 0o777 == 0o600


def test_a_step_that_fails_takes_all_back(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, [ONE], Disk())
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(connection, path, [ONE, TWO, BROKEN], Disk())
    assert version_of(connection) == 1
    assert rows(connection) == []


def test_without_room_for_the_copy_nothing_is_touched(
    connection: sqlite3.Connection, path: Path
) -> None:
    migrate(connection, path, [ONE], Disk())
    disk = FaultyDisk()
    disk.fail("sync", no_room())
    with pytest.raises(OSError, match="No space"):
        migrate(connection, path, [ONE, TWO], disk)
    assert version_of(connection) == 1
    assert not path.with_name("spool.db.version-1").exists()


def test_a_failed_commit_leaves_the_old_version(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, [ONE], Disk())
    disk = FaultyDisk()
    disk.fail("commit", database_full())
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, path, [ONE, TWO], disk)
    assert version_of(connection) == 1
    assert migrate(connection, path, [ONE, TWO], disk) == (1, 2)


def test_a_newer_one_is_refused_untouched(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, [ONE, TWO], Disk())
    with pytest.raises(SpoolTooNew, match="schema version 2; this program supports up to 1"):
        migrate(connection, path, [ONE], Disk())
    assert version_of(connection) == 2


async def test_the_spool_migrates_when_it_is_opened_and_says_so(
    tmp_path: Path, clock: FakeClock, journal: Journal, entries: list[Entry]
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal):
        pass
    newest = migrations()[-1].version
    more = Migration(newest + 1, "CREATE TABLE more (id INTEGER);\n")
    async with SqliteSpool.open(tmp_path, clock, journal, steps=[*migrations(), more]):
        pass
    assert [(entry.event, entry.fields["to_version"]) for entry in entries] == [
        ("spool-migrated", newest + 1)
    ]
    with pytest.raises(SpoolTooNew, match=r"Install the newer graphrelay again"):
        async with SqliteSpool.open(tmp_path, clock, journal):
            pass


def test_every_statement_of_the_schema_is_a_whole_one() -> None:
    for migration in migrations():
        statements = list(migration.statements())
        assert "".join(statements).strip() == migration.sql.strip()


def test_what_waited_before_turns_were_kept_has_its_login_and_client(
    connection: sqlite3.Connection, path: Path
) -> None:
    before = [step for step in migrations() if step.version < 5]
    migrate(connection, path, before, Disk())
    for number, origin in ((1, '{"login":"scanner"}'), (2, '{"login":null}'), (3, "damaged")):
        connection.execute(
            """INSERT INTO messages VALUES (?, 'Q' || ?, 0, '', '', '10.0.0.9', ?, '', '', 0,
                                            NULL)""",
            (number, number, origin),
        )
        connection.execute(
            """INSERT INTO submissions (id, message, part, received_at, sender_key, size, envelope,
                                        plan, account, mailbox, state, not_before)
               VALUES (?, ?, 1, 0, '', 0, '', '', 'a', 'm', 'queued', 0)""",
            (number, number),
        )
    migrate(connection, path, migrations(), Disk())
    found = connection.execute("SELECT login, client FROM submissions ORDER BY id").fetchall()
    assert found == [("scanner", "10.0.0.9"), ("", "10.0.0.9"), ("", "10.0.0.9")]


def test_the_states_of_an_older_database_are_checked_as_before(
    connection: sqlite3.Connection, path: Path
) -> None:
    before = [step for step in migrations() if step.version < 7]
    migrate(connection, path, before, Disk())
    connection.execute("INSERT INTO messages VALUES (1, 'Q', 0, '', '', '', '', '', '', 0, NULL)")
    connection.execute(
        """INSERT INTO submissions (message, part, received_at, sender_key, size, envelope, plan,
                                    account, mailbox, state, not_before)
           VALUES (1, 1, 0, '', 0, '', '', '', '', 'queued', 0)"""
    )
    migrate(connection, path, migrations(), Disk())
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA writable_schema").fetchone() == (0,)
    for state in ("held", "queued"):
        connection.execute(
            "UPDATE submissions SET state = ?, not_before = iif(? = 'queued', 0, NULL)",
            (state, state),
        )
    for state in ("relayed", "failed", "deleted"):
        connection.execute(
            "UPDATE submissions SET state = ?, not_before = NULL, done_at = 1", (state,)
        )
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        connection.execute("UPDATE submissions SET state = 'lost'")
