"""Housekeeping: what was done long ago is forgotten, as is what relays that have gone left behind.

Everything goes in small portions, each a transaction of its own, and by one relay at a time.
"""

# ruff: noqa: S608 (our own words; values are bound)

from datetime import datetime

from graphrelay.spool.codec import microseconds
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.database_clock import NOW

PORTION = 200
_LOCK = 0x6772707275
"""Of the advisory lock of whoever prunes."""
_OLD = """SELECT s.id, s.message FROM submissions s
    JOIN (SELECT id FROM messages WHERE done_at < %s ORDER BY done_at LIMIT %s) m
    ON m.id = s.message"""
_PRUNE = (
    "DELETE FROM recipients WHERE submission = ANY(%s)",
    "DELETE FROM log WHERE submission = ANY(%s)",
    "DELETE FROM drafts WHERE submission = ANY(%s)",
    "DELETE FROM left_drafts WHERE submission = ANY(%s)",
    "DELETE FROM submissions WHERE id = ANY(%s)",
)
_FORGET = """WITH gone AS (
        DELETE FROM bodies WHERE message = ANY(%s::bigint[]) RETURNING pieces, message
    ), freed AS (
        DELETE FROM pieces WHERE body IN (SELECT pieces FROM gone)
    )
    SELECT count(*) FROM gone"""
_WITH_OCTETS = """SELECT m.id FROM messages m JOIN bodies b ON b.message = m.id
    WHERE m.done_at >= %s AND m.done_at < %s LIMIT %s"""


async def prune(connection: Connection, before: datetime) -> int:
    """Forget up to `PORTION` messages that were done before `before`; how many. None where another
    relay is at it."""
    async with connection.transaction():
        locked = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,))
        if await locked.fetchone() != (True,):
            return 0
        found = await connection.execute(_OLD, (microseconds(before), PORTION))
        rows = await found.fetchall()
        for statement in _PRUNE:
            await connection.execute(statement, ([submission for submission, _ in rows],))
        messages = list({message for _, message in rows})
        await connection.execute(_FORGET, (messages,))
        await connection.execute("DELETE FROM messages WHERE id = ANY(%s)", (messages,))
        return len(messages)


async def forget_octets(connection: Connection, since: datetime, before: datetime) -> int:
    """Delete the octets of up to `PORTION` messages that were done from `since` on and before
    `before`; how many."""
    found = await connection.execute(
        _WITH_OCTETS, (microseconds(since), microseconds(before), PORTION)
    )
    messages = [message async for (message,) in found]
    if messages:
        await connection.execute(_FORGET, (messages,))
    return len(messages)


async def sweep(connection: Connection) -> None:
    """What was being received by relays that have gone, and their transactions of a month ago."""
    await connection.execute(
        """WITH gone AS (DELETE FROM uploads WHERE relay NOT IN (SELECT id FROM relays)
                         RETURNING body)
           DELETE FROM pieces WHERE body IN (SELECT body FROM gone)"""
    )
    await connection.execute("DELETE FROM lane_notes WHERE relay NOT IN (SELECT id FROM relays)")
    await connection.execute(f"DELETE FROM turns WHERE until < {NOW} - 86400000000")
    await connection.execute(f"DELETE FROM alerts WHERE sent_at < {NOW} - 2592000000000")
    await connection.execute(
        f"""DELETE FROM commits WHERE at < {NOW} - 2592000000000
            AND process NOT IN (SELECT split_part(id, '.', 1) FROM relays)"""
    )
