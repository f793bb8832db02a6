"""Octets by name that relays share: their authorizations, sealed before they come here.

    write ── is the version still that which was read? ──▶ a new version, and a notification

Each version is another number, so a relay that stood still while others wrote can neither replace
nor delete what it did not see. Whoever renews a secret takes a turn at it, which ends by itself if
its relay does not come back.

The vault's thread calls the methods that block; the work is done in the event loop, by the pool.
"""

# ruff: noqa: S608 (our own words; values are bound)

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, TypeVar

from graphrelay.model import StorageUnavailable
from graphrelay.spool.postgres.connections import Connection, Connections
from graphrelay.spool.postgres.database_clock import NOW
from graphrelay.spool.postgres.leases import CHANNEL
from graphrelay.spool.postgres.text import restored, storable

T = TypeVar("T")
LIMIT = 15.0
"""Seconds for which a thread waits for the server."""


class Secrets:
    """Owns nothing but what it last saw."""

    def __init__(self, connections: Connections, process: str) -> None:
        self._connections = connections
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._seen: dict[tuple[str, str], int] = {}
        self._changed: Callable[[str, str], None] = lambda _service, _name: None

    # In any thread but the loop's. Each raises `StorageUnavailable`. ----------------------------

    def read(self, service: str, name: str) -> tuple[int, bytes] | None:
        """The version and the octets."""
        row = self._row(_READ, (service, storable(name)), "read an authorization")
        return None if row is None else (row[0], bytes(row[1]))

    def write(self, service: str, name: str, octets: bytes, version: int) -> int | None:
        """Replace that version, 0 where there is none. The new version, or `None` where there is
        another than that."""
        where = service, storable(name)
        sql = _REPLACE if version else _INSERT
        values = (octets, *where, version) if version else (*where, octets)
        row = self._row(sql, values, "keep an authorization", changed=(service, name))
        return None if row is None else int(row[0])

    def remove(self, service: str, name: str, version: int) -> bool:
        """Delete that version; whether it was there."""
        where = service, storable(name), version
        row = self._row(_REMOVE, where, "delete an authorization", changed=(service, name))
        return row is not None

    def names(self, service: str) -> list[str]:
        async def work(connection: Connection) -> list[str]:
            found = await connection.execute(_NAMES, (service,))
            return [restored(name) async for (name,) in found]

        return self._blocking(work, "list the authorizations")

    def claim(self, service: str, name: str, duration: timedelta) -> bool:
        """Whether the turn is this process's now."""
        length = duration // timedelta(microseconds=1)
        values = service, storable(name), self._process, length
        return self._row(_CLAIM, values, "renew an authorization") is not None

    def release(self, service: str, name: str) -> None:
        """End this process's turn."""
        self._row(_RELEASE, (service, storable(name), self._process), "end a renewal")

    def _row(
        self,
        sql: str,
        values: tuple[Any, ...],
        doing: str,
        changed: tuple[str, str] | None = None,
    ) -> tuple[Any, ...] | None:
        async def work(connection: Connection) -> tuple[Any, ...] | None:
            async with connection.transaction():
                found = await connection.execute(sql.encode(), values)
                row = await found.fetchone()
                if row is not None and changed is not None:
                    payload = json.dumps({"secret": changed})
                    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
            return row

        return self._blocking(work, doing)

    def _blocking(self, work: Callable[[Connection], Coroutine[Any, Any, T]], doing: str) -> T:
        """A write that runs once more, but was committed all the same, finds its own version gone,
        and its caller reads again."""
        asked: Future[T] = asyncio.run_coroutine_threadsafe(
            self._connections.run(work, doing), self._loop
        )
        try:
            return asked.result(LIMIT)
        except TimeoutError as error:
            asked.cancel()
            raise StorageUnavailable(
                f"The spool could not {doing} in PostgreSQL: the server does not answer."
            ) from error

    # In the loop --------------------------------------------------------------------------------

    def on_change(self, callback: Callable[[str, str], None]) -> None:
        """Call back with the service and the name of what any relay has changed."""
        self._changed = callback

    def notified(self, service: str, name: str) -> None:
        """A relay has changed it."""
        self._changed(service, name)

    async def look(self) -> None:
        """What has changed since the last look, in case a notification was lost. Raises
        `psycopg.Error`."""
        async with self._connections.one() as connection:
            found = await connection.execute(_VERSIONS)
            now = {(service, restored(name)): version async for service, name, version in found}
        before, self._seen = self._seen, now
        for one in sorted(before.keys() | now.keys()):
            if before.get(one) != now.get(one):
                self._changed(*one)


_READ = "SELECT version, octets FROM secrets WHERE service = %s AND name = %s"
_NAMES = "SELECT name FROM secrets WHERE service = %s ORDER BY name"
_VERSIONS = "SELECT service, name, version FROM secrets"
_INSERT = """INSERT INTO secrets (service, name, version, octets)
    VALUES (%s, %s, nextval('secret_versions'), %b) ON CONFLICT DO NOTHING RETURNING version"""
_REPLACE = """UPDATE secrets SET version = nextval('secret_versions'), octets = %b
    WHERE service = %s AND name = %s AND version = %s RETURNING version"""
_REMOVE = """DELETE FROM secrets WHERE service = %s AND name = %s AND version = %s
    RETURNING version"""
# A turn of this process that was not ended, since its answer was lost, is taken up again.
_CLAIM = f"""INSERT INTO turns AS t (service, name, process, until)
    VALUES (%s, %s, %s, {NOW} + %s)
    ON CONFLICT (service, name) DO UPDATE SET process = excluded.process, until = excluded.until
    WHERE t.until <= {NOW} OR t.process = excluded.process RETURNING until"""
_RELEASE = "DELETE FROM turns WHERE service = %s AND name = %s AND process = %s RETURNING until"
