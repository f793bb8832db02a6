"""Which relay sends an alert about what all of them see.

    seen ─── sent within the interval, by a relay that lives? ──▶ not sent again
    over ─── this relay's, or that of one that has gone? ───────▶ sent once, and forgotten

The last relay that saw a cause says that it is over: another one may only have lost the lane. What
a relay has seen that is gone by now is sent once more, since it may have died before it was sent.
"""

# ruff: noqa: S608 (our own words; values are bound)

from collections.abc import Callable
from datetime import timedelta

import psycopg

from graphrelay.spool.postgres.connections import Connection, Connections
from graphrelay.spool.postgres.database_clock import NOW
from graphrelay.spool.postgres.errors import translated
from graphrelay.spool.postgres.text import storable

SLACK = timedelta(minutes=1)
"""By so much may a repetition come early: hosts look at different moments."""


class CommonAlerts:
    """The table of them."""

    def __init__(self, connections: Connections, relay: Callable[[], str]) -> None:
        self._connections = connections
        self._relay = relay

    async def is_ours(
        self, kind: str, subject: str, *, over: bool, repeat_after: timedelta
    ) -> bool:
        """Whether this relay is the one to send it. Raises `StorageUnavailable`."""
        which = kind, storable(subject)
        try:
            async with self._connections.one() as connection, connection.transaction():
                if over:
                    return await self._has(connection, _OVER, (*which, self._relay()))
                if await self._has(connection, _FIRST, (*which, self._relay())):
                    return True
                interval = max(repeat_after - SLACK, timedelta(0)) // timedelta(microseconds=1)
                due = await self._has(connection, _DUE, (*which, interval))
                sql = _SEND_AGAIN if due else _SEEN
                await connection.execute(sql, (self._relay(), *which))
                return due
        except psycopg.Error as error:
            raise translated(error, "claim an alert")  # noqa: B904 (it carries its cause)

    async def _has(self, connection: Connection, sql: str, values: tuple[object, ...]) -> bool:
        found = await connection.execute(sql.encode(), values)
        return await found.fetchone() is not None


_GONE = "relay NOT IN (SELECT id FROM relays)"
_FIRST = f"""INSERT INTO alerts (kind, subject, relay, sent_at) VALUES (%s, %s, %s, {NOW})
    ON CONFLICT DO NOTHING RETURNING sent_at"""
_DUE = f"""SELECT sent_at FROM (SELECT * FROM alerts WHERE kind = %s AND subject = %s FOR UPDATE) a
    WHERE sent_at <= {NOW} - %s OR {_GONE}"""
_SEND_AGAIN = f"UPDATE alerts SET relay = %s, sent_at = {NOW} WHERE kind = %s AND subject = %s"
_SEEN = "UPDATE alerts SET relay = %s WHERE kind = %s AND subject = %s"
_OVER = f"""DELETE FROM alerts WHERE kind = %s AND subject = %s AND (relay = %s OR {_GONE})
    RETURNING sent_at"""
