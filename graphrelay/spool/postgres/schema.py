"""The database's shape, and how an older one becomes today's.

Migrations are files, each named by the version that it leads to. All that are due run in one
transaction, under an advisory lock: of several relays that start, one migrates and the others find
it done.

Relays of this release and of the one before work side by side, while one after the other is
upgraded. So a migration only adds: tables, indexes, and columns that may be absent from an INSERT.
What an earlier release needs is removed by the release after next. Each version of the schema says
from which earlier one on a relay may still work with it (`works_from`): a newer database that a
relay may work with is used as it is, any other is refused untouched.
"""

# ruff: noqa: S608 (our own words; values are bound)

from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg import AsyncConnection, errors

from graphrelay.model import StorageUnavailable
from graphrelay.spool.errors import ENDS, SpoolTooNew
from graphrelay.spool.postgres.connections import (
    NOT_DURABLE,
    SCHEMA,
    Connection,
    completed,
    configure,
)
from graphrelay.spool.postgres.errors import CONFLICTS, translated
from graphrelay.spool.postgres.writer import TRIES

_LOCK = 0x677270736368
_MIGRATIONS = (
    # The file, and the version of the schema from which on relays may work with what it makes.
    ("001_mail.sql", 1),
    ("002_sharing.sql", 1),
)

_STALL = 3000
"""Milliseconds for which the change of a table waits for who uses it, such as a backup: relays that
come later wait behind it, and must renew their leases."""

# Not to_regclass(): it may answer from a cache of before the lock was given.
_MADE = """SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = 'schema_version'"""


def newest() -> int:
    return len(_MIGRATIONS)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The schema version before and now, and what the server does at a commit."""

    before: int
    after: int
    server: str
    synchronous_commit: str

    @property
    def too_weak(self) -> bool:
        """Whether mail could be lost by the setting, if the relay did not set it for itself."""
        return self.synchronous_commit in NOT_DURABLE


async def prepare(url: str, schema: str = SCHEMA) -> Prepared:
    """Make the schema. Raises `SpoolTooNew`, `StorageUnavailable`."""
    try:
        async with await AsyncConnection.connect(completed(url), autocommit=True) as connection:
            found = await connection.execute(
                "SELECT current_setting('server_version'), current_setting('synchronous_commit')"
            )
            [(server, durability)] = await found.fetchall()
            await configure(connection, schema)
            before, after = await migrate(connection, schema)
            return Prepared(before, after, server, durability)
    except psycopg.Error as error:
        raise translated(error, "be prepared", ENDS)  # noqa: B904 (it carries its cause)


async def version_of(connection: Connection, schema: str = SCHEMA) -> int:
    """0 where nothing has been made."""
    found = await connection.execute(_MADE, (schema,))
    if await found.fetchone() is None:
        return 0
    found = await connection.execute(f"SELECT max(version) FROM {schema}.schema_version")
    [row] = await found.fetchall()
    return int(row[0] or 0)


async def migrate(connection: Connection, schema: str = SCHEMA) -> tuple[int, int]:
    """Bring the database to the last version; the versions before and after. Writes nothing where
    that is so already, or it is a newer one that may be used. Raises `SpoolTooNew`,
    `StorageUnavailable` and `psycopg.Error`."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in (None, "UTF8"):
        raise StorageUnavailable(
            f"The database of the spool has the encoding {encoding}, in which not all mail can be"
            " kept. Make one with: createdb --template template0 --encoding UTF8"
        )
    found = await version_of(connection, schema)
    if found >= newest():
        await _check_that_it_may_be_used(connection, schema, found)
        return found, found
    tries = TRIES
    while True:
        tries -= 1
        try:
            return await _migrate(connection, schema)
        except (*CONFLICTS, errors.LockNotAvailable):
            if not tries:
                raise


async def _migrate(connection: Connection, schema: str) -> tuple[int, int]:
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        await connection.execute(f"SET LOCAL lock_timeout = {_STALL}")
        found = await version_of(connection, schema)
        if found >= newest():
            await _check_that_it_may_be_used(connection, schema, found)
            return found, found
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {schema}.schema_version"
            " (version integer PRIMARY KEY, works_from integer NOT NULL)"
        )
        for version, (name, works_from) in enumerate(_MIGRATIONS, 1):
            if version > found:
                sql = (files(__package__) / "migrations" / name).read_text("utf-8")
                await connection.execute(sql.encode())  # several statements, without parameters
                await connection.execute(
                    f"INSERT INTO {schema}.schema_version VALUES (%s, %s)", (version, works_from)
                )
    return found, newest()


async def _check_that_it_may_be_used(connection: Connection, schema: str, found: int) -> None:
    """Raises `SpoolTooNew`."""
    if found > newest():
        answer = await connection.execute(
            f"SELECT works_from FROM {schema}.schema_version ORDER BY version DESC LIMIT 1"
        )
        [(works_from,)] = await answer.fetchall()
        if works_from > newest():
            where = f"in schema {schema} of PostgreSQL"
            raise SpoolTooNew(where, found, newest(), "Install the graphrelay of the other relays")
