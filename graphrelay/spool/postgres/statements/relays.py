"""The relays that share the queue, as people see them."""

from datetime import timedelta

from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.database_clock import NOW, DatabaseClock
from graphrelay.spool.values import RelayRow

_EVERY = f"""SELECT r.host, r.version, r.started_at, count(l.mailbox),
        count(l.mailbox) FILTER (WHERE EXISTS (
            SELECT FROM submissions s WHERE s.state = 'queued'
            AND s.account = l.account AND s.mailbox = l.mailbox)),
        r.expires_at - {NOW}, r.leaving
    FROM relays r LEFT JOIN lanes l ON l.owner = r.id
    GROUP BY r.id ORDER BY r.started_at, r.id"""  # noqa: S608 (our own words)


async def every(connection: Connection, clock: DatabaseClock) -> list[RelayRow]:
    found = await connection.execute(_EVERY)
    return [
        RelayRow(
            host=host,
            version=version,
            started_at=clock.ours(started_at),
            lanes=lanes,
            with_mail=with_mail,
            expires_in=timedelta(microseconds=expires_in),
            leaving=leaving,
        )
        async for host, version, started_at, lanes, with_mail, expires_in, leaving in found
    ]
