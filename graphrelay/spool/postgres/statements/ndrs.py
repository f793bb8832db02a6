"""NDRs of messages that Microsoft accepted: finding the message, and the lanes that were used."""

# ruff: noqa: S608 (our own words; values are bound)

from graphrelay.model import Address, Lane
from graphrelay.spool.codec import microseconds
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.statements.conditions import HAS_MESSAGE_ID
from graphrelay.spool.postgres.text import restored, storable
from graphrelay.spool.queries import LanesUsed, RelayedTo
from graphrelay.spool.queue_ids import part_id
from graphrelay.spool.values import RelayedPart

_BY_RECIPIENT = """SELECT s.id, m.queue_id, s.part FROM recipients r
    JOIN submissions s ON s.id = r.submission JOIN messages m ON m.id = s.message
    WHERE r.address_key = %(key)s AND m.message_id = %(message_id)s AND s.state = 'relayed'
    ORDER BY s.id DESC LIMIT 1"""
_BY_MESSAGE = f"""SELECT s.id, m.queue_id, s.part FROM messages m
    JOIN submissions s ON s.message = m.id
    WHERE {HAS_MESSAGE_ID} AND s.state = 'relayed' ORDER BY s.id DESC LIMIT 1"""


async def relayed_to(connection: Connection, query: RelayedTo) -> RelayedPart | None:
    key = storable(Address.parse(query.recipient).key)
    for statement in (_BY_RECIPIENT, _BY_MESSAGE):
        for message_id in query.message_ids:
            values = {"key": key, "message_id": storable(message_id)}
            row = await (await connection.execute(statement, values)).fetchone()
            if row is not None:
                return RelayedPart(row[0], part_id(row[1], row[2]))
    return None


async def lanes_used(connection: Connection, query: LanesUsed, relay: str) -> list[Lane]:
    """Of those leased to the relay."""
    found = await connection.execute(
        """SELECT l.account, l.mailbox FROM lanes l WHERE l.owner = %s AND EXISTS (
               SELECT FROM log g JOIN submissions s ON s.id = g.submission
               WHERE g.at >= %s AND g.what = 'relayed'
                 AND s.account = l.account AND s.mailbox = l.mailbox)""",
        (relay, microseconds(query.since)),
    )
    return [Lane(restored(account), restored(mailbox)) async for account, mailbox in found]
