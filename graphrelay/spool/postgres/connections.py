"""The connections of one relay to PostgreSQL.

    pool ── the writer (writer.py), reading for the queue and for people, rare changes
    one  ── LISTEN (relays.py)

Every session has the schema as its search path, commits durably, and does not stay in a transaction
that the relay has forgotten: a lost client must not keep its locks. Each statement sees what was
committed before it, whatever the role's isolation level is: some transactions lock, and look then.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from graphrelay.model import StorageUnavailable
from graphrelay.spool.postgres.errors import connection_lost, translated

# It writes each attempt to connect, and each connection that breaks, to the log; the journal has
# one line for that (leases.py).
logging.getLogger("psycopg").addHandler(logging.NullHandler())

SCHEMA = "graphrelay"
PATIENCE = 5.0
"""Seconds for which a call waits for a connection."""
MOST = 8
"""Connections of the pool."""
NOT_DURABLE = ("off", "local", "remote_write")

T = TypeVar("T")
Connection = AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]


NAME_LENGTH = 32
"""Of the name of a process, with which the application names of its sessions end."""


def completed(url: str, process: str = "") -> str:
    """The connection string, with what its author did not decide: that a standby is not taken, and
    that a server which is gone is noticed. Text is in UTF-8, whatever a role's setting says."""
    asked = conninfo_to_dict(url)
    asked.pop("client_encoding", None)
    name = str(asked.pop("application_name", "graphrelay"))[:30]
    usual: dict[str, Any] = {
        "application_name": f"{name} {process}".strip(),
        "client_encoding": "UTF8",
        "connect_timeout": 5,
        "target_session_attrs": "read-write",
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }
    return make_conninfo(url, **{key: value for key, value in usual.items() if key not in asked})


async def configure(connection: Connection, schema: str = SCHEMA) -> None:
    """What holds for each session."""
    await connection.set_autocommit(True)
    await connection.execute(
        f"""SELECT set_config('search_path', '{schema}', false),
                  set_config('idle_in_transaction_session_timeout', '5s', false),
                  set_config('default_transaction_isolation', 'read committed', false),
                  CASE WHEN current_setting('synchronous_commit') IN {NOT_DURABLE!r}
                       THEN set_config('synchronous_commit', 'on', false) END"""
    )


async def connect(url: str, process: str = "") -> Connection:
    """A connection beside the pool."""
    connection = await AsyncConnection.connect(completed(url, process), autocommit=True)
    try:
        await configure(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


async def refuse_shared_sessions(url: str, one: Connection) -> None:
    """A pooler such as PgBouncer in transaction mode gives each transaction another session. Raises
    `StorageUnavailable` for one, and `psycopg.Error`."""
    if await _session_of(one) == one.info.backend_pid:
        return  # there is no pooler
    async with await AsyncConnection.connect(completed(url), autocommit=True) as other:
        for _ in range(_LOOKS):
            before = await _session_of(one)
            async with other.transaction():
                taken = await _session_of(other)
                after = await _session_of(one)
            if taken == before or after != before:
                raise StorageUnavailable(SHARED_SESSIONS)


async def _session_of(connection: Connection) -> int:
    """The process of the server that works for it now."""
    found = await connection.execute("SELECT pg_backend_pid()")
    [(process,)] = await found.fetchall()
    return int(process)


_LOOKS = 5
SHARED_SESSIONS = (
    "The URL of the spool leads to PgBouncer, or another pooler, in transaction mode. LISTEN, the"
    " settings of a session (search_path, synchronous_commit) and prepared statements do not work"
    " there. Set pool_mode = session for this database, or name the server itself."
)


class Connections:
    """Owns the pool."""

    def __init__(self, url: str, process: str) -> None:
        """`process` names these sessions, so that others can end them when it is dead."""
        self.url = url
        self.process = process
        self._refusal: psycopg.Error | None = None
        """Why the last attempt to connect failed: the pool says only that it did."""
        self._pool = Pool(
            completed(url, process),
            connection_class=self._noting_refusals(),
            min_size=2,
            max_size=MOST,
            timeout=PATIENCE,
            configure=configure,
            open=False,
            name="spool",
            reconnect_timeout=2,
        )

    def _noting_refusals(self) -> type[Connection]:
        this = self

        class Noting(AsyncConnection[TupleRow]):
            @classmethod
            async def connect(cls, conninfo: str = "", **options: Any) -> Self:
                try:
                    connection = await super().connect(conninfo, **options)
                except psycopg.Error as error:
                    this._refusal = error.with_traceback(None)
                    raise
                this._refusal = None
                return connection

        return Noting

    async def open(self) -> None:
        """Does not wait for the server."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=5)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        """A connection for a while. Raises `psycopg.Error`."""
        try:
            async with self._pool.connection() as connection:
                try:
                    yield connection
                except Exception as error:
                    if connection_lost(error) or _read_only(error):
                        # Others are likely to be as old; the pool makes new ones.
                        await connection.close()
                        await self._pool.drain()
                    raise
        except PoolTimeout:
            why = "" if self._refusal is None else f": {self._refusal}"
            raise PoolTimeout(f"no connection to the server{why}") from None

    async def run(self, work: Callable[[Connection], Awaitable[T]], doing: str) -> T:
        """What `work` answers, which runs once more where its connection turned out to be an old
        one: it must bear that. Raises as `translated` does, with `doing` in the words."""
        for again in (True, False):
            try:
                async with self.one() as connection:
                    return await work(connection)
            except psycopg.Error as error:
                if not (again and connection_lost(error)):
                    raise translated(error, doing)  # noqa: B904 (it carries its cause)
        raise AssertionError("unreachable")


def _read_only(error: BaseException) -> bool:
    return getattr(error, "sqlstate", None) == "25006"
