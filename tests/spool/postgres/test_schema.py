"""The tables are created once, and relays of two releases use them side by side."""

import asyncio
import re
from importlib.resources import files
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.model import StorageUnavailable
from graphrelay.spool.errors import SpoolTooNew
from graphrelay.spool.postgres import schema
from graphrelay.spool.postgres.connections import Connection, connect
from graphrelay.spool.queries import QueueFilter
from tests.clock import FakeClock
from tests.spool.mail import put
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer


def later_release(server: PostgresServer, works_from: int) -> None:
    """As if the next release had migrated the database: it added a table and a column."""
    server.execute(
        f"INSERT INTO graphrelay.schema_version VALUES (99, {works_from});"
        "CREATE TABLE graphrelay.later (id bigint);"
        "ALTER TABLE graphrelay.submissions ADD COLUMN later text NOT NULL DEFAULT ''"
    )


async def test_a_relay_works_with_the_schema_of_the_next_release(
    database: str, clock: FakeClock, journal: Journal, postgres_server_of_all: PostgresServer
) -> None:
    """Relays are upgraded one after the other; one that has still to be is started again."""
    async with a_relay(database, clock, journal) as running:
        later_release(postgres_server_of_all, works_from=schema.newest())
        await put(running)
    async with a_relay(database, clock, journal) as again:
        await put(again)
        assert len(await again.read(QueueFilter())) == 2


async def test_a_schema_that_no_longer_works_with_this_release_is_refused_untouched(
    database: str, clock: FakeClock, journal: Journal, postgres_server_of_all: PostgresServer
) -> None:
    async with a_relay(database, clock, journal):
        pass
    later_release(postgres_server_of_all, works_from=99)
    with pytest.raises(SpoolTooNew, match="version 99"):
        async with a_relay(database, clock, journal):
            pass


async def test_the_schema_of_the_release_before_is_brought_up_to_date_with_its_mail(
    database: str,
    clock: FakeClock,
    journal: Journal,
    postgres_server_of_all: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = await connect(database)
    async with connection:
        with monkeypatch.context() as before:
            before.setattr(schema, "_MIGRATIONS", schema._MIGRATIONS[:1])
            assert await schema.migrate(connection) == (0, 1)
        postgres_server_of_all.execute(
            "INSERT INTO graphrelay.lanes (account, mailbox, owner, term)"
            " VALUES ('website', 'wp@contoso.com', 'a relay of the release before', 7)"
        )
        assert await schema.migrate(connection) == (1, schema.newest())
    assert postgres_server_of_all.execute("SELECT term FROM graphrelay.lanes") == [(7,)]
    async with a_relay(database, clock, journal) as spool:
        await put(spool)


async def waiting(connection: Connection) -> bool:
    """Whether a session waits for a lock."""
    found = await connection.execute("SELECT FROM pg_locks WHERE NOT granted")
    return bool(await found.fetchall())


async def test_a_migration_in_the_way_of_another_session_is_tried_again(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relays and backups use the tables meanwhile: here a deadlock, of which it is the victim."""
    (tmp_path / "next.sql").write_text(
        "ALTER TABLE submissions ADD COLUMN next text; ALTER TABLE lanes ADD COLUMN next text"
    )
    async with await connect(database) as ours, await connect(database) as theirs:
        await schema.migrate(ours)
        newer = (*schema._MIGRATIONS, (str(tmp_path / "next.sql"), 1))
        monkeypatch.setattr(schema, "_MIGRATIONS", newer)
        await theirs.execute("SET deadlock_timeout = '60s'")
        await theirs.execute("BEGIN")
        await theirs.execute("LOCK TABLE lanes IN ROW EXCLUSIVE MODE")
        migrating = asyncio.create_task(schema.migrate(ours))
        async with await connect(database) as looking:
            while not await waiting(looking):  # noqa: ASYNC110 (the server makes it wait)
                await asyncio.sleep(0.01)
        await theirs.execute("SELECT count(*) FROM submissions")
        await theirs.execute("COMMIT")
        assert await migrating == (len(newer) - 1, len(newer))


async def test_a_migration_keeps_nobody_waiting_for_long(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup that takes hours: what waits behind the migration would wait as long."""
    (tmp_path / "next.sql").write_text("ALTER TABLE lanes ADD COLUMN next text")
    async with await connect(database) as ours, await connect(database) as theirs:
        await schema.migrate(ours)
        newer = (*schema._MIGRATIONS, (str(tmp_path / "next.sql"), 1))
        monkeypatch.setattr(schema, "_MIGRATIONS", newer)
        monkeypatch.setattr(schema, "_STALL", 10)
        async with theirs.transaction():
            await theirs.execute("LOCK TABLE lanes IN ACCESS SHARE MODE")
            with pytest.raises(StorageUnavailable, match="Wait for whoever uses the tables"):
                await schema.prepare(database)
        assert (await schema.prepare(database)).after == len(newer)


def test_migrations_only_add() -> None:
    """A relay of the release before goes on with what one of this release has made."""
    folder = files("graphrelay.spool.postgres") / "migrations"
    for name, works_from in schema._MIGRATIONS[1:]:
        sql = re.sub(r"--.*", "", (folder / name).read_text("utf-8"))
        for statement in filter(None, map(str.strip, sql.split(";"))):
            added = re.match(r"CREATE (TABLE|INDEX|SEQUENCE) ", statement)
            column = re.match(r"ALTER TABLE \w+ ADD COLUMN (?!.*NOT NULL(?!.*DEFAULT))", statement)
            assert added or column or works_from > 1, f"{name}: {statement}"


async def test_of_relays_that_start_at_the_same_time_one_makes_it(database: str) -> None:
    async def start() -> tuple[int, int]:
        connection = await connect(database)
        async with connection:
            return await schema.migrate(connection)

    found = await asyncio.gather(*(start() for _ in range(5)))
    newest = schema.newest()
    assert {after for _, after in found} == {newest}
    assert sorted(before for before, _ in found) == [0] + [newest] * 4
