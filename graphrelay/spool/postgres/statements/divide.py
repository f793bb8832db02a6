"""One submission becomes several, each with a part of its recipients, with what came of an attempt.

All in one transaction: whatever happens, each recipient stands in exactly one of them. The first
piece keeps the submission and its history; the others are new parts of the same message.
"""

from collections.abc import Sequence
from datetime import datetime

from graphrelay.model import Address
from graphrelay.spool.codec import ENVELOPE
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.statements.attempts import note
from graphrelay.spool.postgres.statements.drafts import leave
from graphrelay.spool.postgres.statements.put import recipient_keys
from graphrelay.spool.queue_ids import part_id

_SPLIT = """INSERT INTO submissions (message, part, received_at, sender_key, login, client, size,
                                     envelope, plan, route, account, mailbox, state, not_before)
    SELECT message, (SELECT max(part) + 1 FROM submissions WHERE message = s.message), received_at,
           sender_key, login, client, size, %s, plan, route, account, mailbox, state, not_before
    FROM submissions s WHERE id = %s RETURNING id"""


async def divide(
    connection: Connection, submission: int, pieces: Sequence[tuple[Address, ...]], at: datetime
) -> None:
    """After the attempt was finished, in its transaction."""
    found = await connection.execute(
        """SELECT m.queue_id, s.part, s.envelope FROM submissions s
           JOIN messages m ON m.id = s.message WHERE s.id = %s FOR UPDATE""",
        (submission,),
    )
    row = await found.fetchone()
    assert row is not None  # noqa: S101 (its attempt has just been finished)
    queue_id, part, text = row
    before = ENVELOPE.value(text)
    kept, *others = pieces
    for piece in others:
        envelope = before.to(piece)
        split = await connection.execute(_SPLIT, (ENVELOPE.text(envelope), submission))
        [number] = [number async for (number,) in split]
        await connection.execute(
            "INSERT INTO recipients (address_key, submission) SELECT unnest(%s::text[]), %s",
            (list(recipient_keys(envelope)), number),
        )
        await note(connection, number, "divided", f"split off from {part_id(queue_id, part)}", at)
    after = before.to(kept)
    gone = recipient_keys(before) - recipient_keys(after)
    await connection.execute(
        "UPDATE submissions SET envelope = %s WHERE id = %s", (ENVELOPE.text(after), submission)
    )
    await connection.execute(
        "DELETE FROM recipients WHERE submission = %s AND address_key = ANY(%s)",
        (submission, list(gone)),
    )
    await leave(connection, submission)  # it names all of them, and must never be sent
