"""A message becomes ours: the rows that one transaction writes.

All messages that share the transaction are one statement, which numbers the rows and answers with
the numbers. A lane that nobody knew yet is leased to the relay that puts mail into it; the owner of
any other is notified.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphrelay.model import Body, Envelope, InlineBody, Lane, NewMessage, StorageAway
from graphrelay.model import Submission as Part
from graphrelay.spool.codec import ENVELOPE, ORIGIN, PLAN, microseconds
from graphrelay.spool.postgres.bodies import Kept, Pieces, Stored, Uploaded
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.database_clock import DatabaseClock
from graphrelay.spool.postgres.leases import CHANNEL, Leases
from graphrelay.spool.postgres.text import restored, storable
from graphrelay.spool.postgres.writer import Cursors
from graphrelay.spool.queue_ids import QueueIds, part_id

_PUT = """WITH new AS (
        SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %b::bytea[],
            %b::bytea[], %s::text[])
        WITH ORDINALITY AS n (queue_id, received_at, sender, sender_key, client, origin, message_id,
            subject, size, body_size, prefix, octets, pieces, place)
    ), message AS (
        INSERT INTO messages (queue_id, received_at, sender, sender_key, client, origin, message_id,
                              subject, size)
        SELECT queue_id, received_at, sender, sender_key, client, origin, message_id, subject, size
        FROM new ORDER BY place RETURNING id, queue_id
    ), uploaded AS (
        DELETE FROM uploads WHERE body IN (SELECT pieces FROM new) RETURNING body
    ), body AS (
        INSERT INTO bodies (message, size, prefix, octets, pieces)
        SELECT m.id, n.body_size, n.prefix, n.octets, n.pieces FROM new n
        JOIN message m USING (queue_id)
    ), part AS (
        SELECT * FROM unnest(%s::text[], %s::integer[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])
        WITH ORDINALITY AS p (queue_id, part, author, login, envelope, plan, route, account,
            mailbox, not_before, place)
    ), submission AS (
        INSERT INTO submissions (message, part, received_at, sender_key, login, client, size,
                                 envelope, plan, route, account, mailbox, state, not_before)
        SELECT m.id, p.part, n.received_at, p.author, p.login, n.client, n.size, p.envelope, p.plan,
               p.route, p.account, p.mailbox, 'queued', p.not_before
        FROM part p JOIN new n USING (queue_id) JOIN message m USING (queue_id)
        ORDER BY p.place RETURNING id, message, part
    ), recipient AS (
        INSERT INTO recipients (address_key, submission)
        SELECT r.address_key, s.id
        FROM unnest(%s::text[], %s::text[], %s::integer[]) AS r (address_key, queue_id, part)
        JOIN message m USING (queue_id) JOIN submission s ON s.message = m.id AND s.part = r.part
    )
    SELECT m.queue_id, s.part, s.id,
           n.pieces IS NULL OR n.pieces IN (SELECT body FROM uploaded) AND n.body_size =
               (SELECT sum(length(p.octets)) FROM pieces p WHERE p.body = n.pieces)
    FROM submission s JOIN message m ON m.id = s.message JOIN new n USING (queue_id)
    ORDER BY s.id"""
_LANES = """INSERT INTO lanes (account, mailbox, owner, term)
    SELECT n.account, n.mailbox, r.id, 1 FROM unnest(%s::text[], %s::text[]) AS n (account, mailbox)
    LEFT JOIN relays r ON r.id = %s
    ORDER BY 1, 2 ON CONFLICT DO NOTHING RETURNING account, mailbox, owner"""
_NOTIFY = "SELECT pg_notify(%s, %s)"


@dataclass(frozen=True, slots=True)
class Deposit:
    """A message whose body is stored, to be put."""

    message: NewMessage
    stored: Stored
    now: datetime


@dataclass(frozen=True, slots=True)
class Deposited:
    """What became of a deposit, once that is committed."""

    parts: tuple[Part, ...]
    made: frozenset[Lane]
    """Of its lanes those that nobody knew, and that are leased to this relay."""


class _Rows:
    """Of a table, column by column."""

    def __init__(self, columns: int) -> None:
        self.columns: tuple[list[Any], ...] = tuple([] for _ in range(columns))

    def add(self, *values: Any) -> None:
        for column, value in zip(self.columns, values, strict=True):
            column.append(value)


class PutMail:
    """writer.Kind: a deposit becomes its submissions."""

    doing = "take a message"

    def __init__(
        self, ids: Callable[[], QueueIds], clock: DatabaseClock, leases: Leases, pieces: Pieces
    ) -> None:
        self._ids = ids
        self._clock = clock
        self._leases = leases
        self._pieces = pieces
        self._given: list[str] = []

    def key(self, value: Deposit) -> object:
        return None

    async def send(self, connection: Connection, values: Sequence[Deposit]) -> Cursors:
        self._given = [self._ids().next(value.now) for value in values]
        messages, parts, recipients = _Rows(13), _Rows(10), _Rows(3)
        for queue_id, deposit in zip(self._given, values, strict=True):
            self._add(messages, parts, recipients, queue_id, deposit)
        put = await connection.execute(
            _PUT, (*messages.columns, *parts.columns, *recipients.columns)
        )
        lanes = {plan.lane for value in values for plan, _ in value.message.parts}
        return [put, *await announce(connection, self._leases, lanes)]

    def _add(
        self, messages: _Rows, parts: _Rows, recipients: _Rows, queue_id: str, deposit: Deposit
    ) -> None:
        new, stored, sender = deposit.message, deposit.stored, deposit.message.envelope.reverse_path
        sender_key = storable(sender.key) if sender else ""
        messages.add(
            queue_id,
            microseconds(new.received_at),
            storable(str(sender)) if sender else "",
            sender_key,
            storable(new.origin.client),
            ORIGIN.text(new.origin),
            storable(new.message_id),
            storable(new.subject),
            len(new.prefix) + stored.size,
            stored.size,
            new.prefix,
            stored.octets if isinstance(stored, Kept) else None,
            stored.name if isinstance(stored, Uploaded) else None,
        )
        for part, (plan, paths) in enumerate(new.parts, 1):
            envelope = new.envelope.to(paths)
            parts.add(
                queue_id,
                part,
                storable(new.origin.author) or sender_key,
                storable(new.origin.login or ""),
                ENVELOPE.text(envelope),
                PLAN.text(plan),
                storable(plan.route),
                storable(plan.lane.account),
                storable(plan.lane.mailbox),
                self._clock.theirs(new.not_before or new.received_at),
            )
            for key in recipient_keys(envelope):
                recipients.add(key, queue_id, part)

    async def answers(
        self, cursors: Cursors, values: Sequence[Deposit]
    ) -> Sequence[Deposited | BaseException]:
        put, *lanes = cursors
        new = await made(lanes, self._leases)
        numbers: dict[str, list[int]] = {}
        async for queue_id, _, number, whole in put:
            if not whole:
                raise StorageAway(
                    "The spool could not take a message: what had come in is not whole, since this"
                    " relay was taken for dead or the server broke down meanwhile."
                )
            numbers.setdefault(queue_id, []).append(number)
        return [
            Deposited(
                self._submissions(queue_id, deposit, numbers[queue_id]),
                new & {plan.lane for plan, _ in deposit.message.parts},
            )
            for queue_id, deposit in zip(self._given, values, strict=True)
        ]

    def _submissions(
        self, queue_id: str, deposit: Deposit, numbers: Sequence[int]
    ) -> tuple[Part, ...]:
        new, stored = deposit.message, deposit.stored
        body: Body = (
            InlineBody(stored.octets)
            if isinstance(stored, Kept)
            else self._pieces.body(stored.name, stored.size)
        )
        return tuple(
            Part(
                id=number,
                queue_id=part_id(queue_id, part),
                envelope=new.envelope.to(paths),
                origin=new.origin,
                plan=plan,
                received_at=new.received_at,
                message_id=new.message_id,
                prefix=new.prefix,
                body=body,
                attempts=0,
                term=self._leases.term(plan.lane),
            )
            for part, (number, (plan, paths)) in enumerate(zip(numbers, new.parts, strict=True), 1)
        )


async def announce(connection: Connection, leases: Leases, lanes: Iterable[Lane]) -> Cursors:
    """Mail waits in these lanes: take those that nobody knew, notify the owners of others."""
    others = sorted(lane for lane in lanes if not leases.holds(lane))
    if not others:
        return []
    keys = [storable(one.account) for one in others], [storable(one.mailbox) for one in others]
    made = await connection.execute(_LANES, (*keys, leases.relay))
    for account, mailbox in zip(*keys, strict=True):
        payload = json.dumps({"lane": [account, mailbox]})
        await connection.execute(_NOTIFY, (CHANNEL, payload))
    return [made]


async def made(cursors: Cursors, leases: Leases) -> frozenset[Lane]:
    """From the answers to `announce`: the new lanes that are this relay's after the commit."""
    return frozenset(
        [
            Lane(restored(account), restored(mailbox))
            for cursor in cursors
            async for account, mailbox, owner in cursor
            if owner and owner == leases.relay
        ]
    )


def recipient_keys(envelope: Envelope) -> set[str]:
    return {storable(path.key) for path in envelope.forward_paths}


async def put_one(connection: Connection, put: PutMail, deposit: Deposit) -> Deposited:
    """In a transaction of the caller's, without a pipeline."""
    cursors = await put.send(connection, [deposit])
    (answer,) = await put.answers(cursors, [deposit])
    if isinstance(answer, BaseException):
        raise answer
    return answer


async def erase(connection: Connection, parts: Sequence[Part]) -> None:
    """Forget a message that was never acknowledged, whole, unless it is being sent already or the
    mail log has something of it."""
    ids = [part.id for part in parts]
    async with connection.transaction():
        await connection.execute(
            "SELECT FROM submissions WHERE id = ANY(%s) ORDER BY id FOR UPDATE", (ids,)
        )
        found = await connection.execute(
            "SELECT message, state = 'queued' AND attempts = 0"
            " AND NOT EXISTS (SELECT FROM log l WHERE l.submission = s.id)"
            " FROM submissions s WHERE id = ANY(%s)",
            (ids,),
        )
        rows = await found.fetchall()
        if not rows or not all(untouched for _, untouched in rows):
            return
        message = rows[0][0]
        await connection.execute("DELETE FROM recipients WHERE submission = ANY(%s)", (ids,))
        await connection.execute("DELETE FROM submissions WHERE id = ANY(%s)", (ids,))
        await forget_octets(connection, message)
        await connection.execute("DELETE FROM messages WHERE id = %s", (message,))


async def forget_octets(connection: Connection, message: int) -> None:
    await connection.execute(
        """WITH gone AS (DELETE FROM bodies WHERE message = %s RETURNING pieces)
           DELETE FROM pieces WHERE body IN (SELECT pieces FROM gone)""",
        (message,),
    )
