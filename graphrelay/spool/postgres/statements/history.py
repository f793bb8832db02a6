"""Reading the spool: the queue, one message's history, the mail log, the figures.

Each is one statement, or a transaction that cannot write, so that it sees one moment.
"""

# ruff: noqa: S608 (our own words; values are bound)

from typing import Any

from graphrelay.model import Attempt, Envelope, Lane
from graphrelay.spool.codec import (
    DRAFT,
    ENVELOPE,
    MICROSECOND,
    ORIGIN,
    OUTCOME,
    PLAN,
    microseconds,
    moment,
)
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.database_clock import DatabaseClock
from graphrelay.spool.postgres.statements.conditions import (
    HAS_MESSAGE_ID,
    Conditions,
    containing,
    equal,
    joined,
    message_is,
    moment_is,
    recipient_is,
    sender_is,
)
from graphrelay.spool.postgres.text import restored, storable
from graphrelay.spool.queries import (
    HOUR,
    HistoryOf,
    LogFilter,
    QueueFilter,
    SharesMessageId,
    Tally,
)
from graphrelay.spool.queue_ids import normalised, part_id
from graphrelay.spool.values import (
    HistoryEvent,
    Interrupted,
    LogRow,
    MessageHistory,
    PartHistory,
    QueueRow,
    Stats,
    Tallied,
    state_of,
)

# --- The queue -----------------------------------------------------------------------------------


async def queue(
    connection: Connection, wanted: QueueFilter, clock: DatabaseClock
) -> list[QueueRow]:
    where, values = joined([*_waiting(wanted), ("s.id > %s", (wanted.after_id,))])
    rows = await connection.execute(
        f"""SELECT s.id, m.queue_id, s.part, s.received_at, s.envelope, m.size, m.subject,
                   s.account, s.mailbox, s.plan, s.state, s.not_before, s.reason, s.attempts,
                   f.started_at,
                   (SELECT l.reason FROM log l WHERE l.submission = s.id AND l.number IS NOT NULL
                    ORDER BY l.id DESC LIMIT 1)
            FROM submissions s JOIN messages m ON m.id = s.message
            LEFT JOIN in_flight f ON f.submission = s.id
            WHERE {where} ORDER BY s.id LIMIT %s""",
        (*values, wanted.limit),
    )
    return [_queue_row(row, clock) async for row in rows]


async def matching(connection: Connection, wanted: QueueFilter) -> int:
    where, values = joined(_waiting(wanted))
    # Only the sender is in messages, and to look there for each row takes ten times as long.
    messages = "JOIN messages m ON m.id = s.message" if wanted.sender is not None else ""
    found = await connection.execute(
        f"SELECT count(*) FROM submissions s {messages} WHERE {where}", values
    )
    [count] = [count async for (count,) in found]
    return int(count)


def _waiting(wanted: QueueFilter) -> Conditions:
    return [
        ("s.done_at IS NULL", ()),
        *equal("s.state", wanted.state),
        *equal("s.account", wanted.account),
        *equal("s.mailbox", wanted.mailbox),
        *equal("s.route", wanted.route),
        *sender_is(wanted.sender),
        *recipient_is(wanted.recipient),
        *moment_is("s.received_at < %s", wanted.received_before),
    ]


def _queue_row(row: tuple[Any, ...], clock: DatabaseClock) -> QueueRow:
    envelope = ENVELOPE.value(row[4])
    return QueueRow(
        submission_id=row[0],
        queue_id=part_id(row[1], row[2]),
        received_at=moment(row[3]),
        sender=envelope.reverse_path,
        recipients=envelope.forward_paths,
        size=row[5],
        subject=restored(row[6]),
        lane=Lane(restored(row[7]), restored(row[8])),
        route=PLAN.value(row[9]).route,
        state=state_of(row[10], _due(row[11], clock), restored(row[12])),
        attempts=row[13],
        in_flight_since=_when(row[14]),
        last=restored(row[15] or ""),
    )


async def shares_message_id(connection: Connection, wanted: SharesMessageId) -> bool:
    found = await connection.execute(
        f"""SELECT 1 FROM messages m JOIN submissions s ON s.message = m.id
           WHERE {HAS_MESSAGE_ID} AND s.id <> %(besides)s LIMIT 1""".encode(),
        {"message_id": storable(wanted.message_id), "besides": wanted.besides},
    )
    return await found.fetchone() is not None


# --- The mail log --------------------------------------------------------------------------------


async def log(connection: Connection, wanted: LogFilter) -> list[LogRow]:
    where, values = joined(
        [
            *equal("l.what", wanted.outcome),
            *equal("m.client", wanted.client),
            *message_is(wanted.queue_id),
            *sender_is(wanted.sender),
            *recipient_is(wanted.recipient),
            *containing("m.subject", wanted.subject),
            *moment_is("l.at >= %s", wanted.since),
            *moment_is("l.at < %s", wanted.until),
            *([] if wanted.after_id is None else [("l.id > %s", (wanted.after_id,))]),
            *([] if wanted.before_id is None else [("l.id < %s", (wanted.before_id,))]),
        ]
    )
    order = "DESC" if wanted.after_id is None else "ASC"
    rows = await connection.execute(
        f"""SELECT l.id, l.at, m.queue_id, s.part, s.id, l.what, l.reason, s.envelope, m.size,
                   m.subject, m.client, s.account, s.mailbox, l.number, l.started_at, l.outcome,
                   EXISTS (SELECT FROM bodies b WHERE b.message = m.id)
            FROM log l JOIN submissions s ON s.id = l.submission JOIN messages m ON m.id = s.message
            WHERE {where} ORDER BY l.id {order} LIMIT %s""",
        (*values, wanted.limit),
    )
    return [_log_row(row) async for row in rows]


def _log_row(row: tuple[Any, ...]) -> LogRow:
    envelope: Envelope = ENVELOPE.value(row[7])
    return LogRow(
        id=row[0],
        at=moment(row[1]),
        queue_id=part_id(row[2], row[3]),
        submission_id=row[4],
        what=row[5],
        reason=restored(row[6]),
        sender=envelope.reverse_path,
        recipients=envelope.forward_paths,
        size=row[8],
        subject=restored(row[9]),
        client=restored(row[10]),
        lane=Lane(restored(row[11]), restored(row[12])),
        number=row[13],
        started_at=_when(row[14]),
        outcome=None if row[15] is None else OUTCOME.value(row[15]),
        octets_kept=bool(row[16]),
    )


# --- One message ---------------------------------------------------------------------------------


async def message(
    connection: Connection, query: HistoryOf, clock: DatabaseClock
) -> MessageHistory | None:
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return await _message_in(connection, normalised(query.queue_id)[0], clock)


async def _message_in(
    connection: Connection, queue_id: str, clock: DatabaseClock
) -> MessageHistory | None:
    found = await connection.execute(
        """SELECT m.id, m.received_at, m.origin, m.message_id, m.subject, m.size,
                  EXISTS (SELECT FROM bodies b WHERE b.message = m.id)
           FROM messages m WHERE m.queue_id = %s""",
        (storable(queue_id),),
    )
    row = await found.fetchone()
    if row is None:
        return None
    found = await connection.execute(
        """SELECT s.id, s.part, s.envelope, s.plan, s.state, s.not_before, s.reason, s.done_at,
                  f.number, f.started_at, f.client_request_id, d.progress
           FROM submissions s LEFT JOIN in_flight f ON f.submission = s.id
           LEFT JOIN drafts d ON d.submission = s.id
           WHERE s.message = %s ORDER BY s.part""",
        (row[0],),
    )
    parts = await found.fetchall()
    return MessageHistory(
        queue_id=queue_id,
        received_at=moment(row[1]),
        sender=ENVELOPE.value(parts[0][2]).reverse_path,
        origin=ORIGIN.value(row[2]),
        message_id=restored(row[3]),
        subject=restored(row[4]),
        size=row[5],
        octets_kept=row[6],
        parts=tuple([await _part(connection, queue_id, part, clock) for part in parts]),
    )


async def _part(
    connection: Connection, queue_id: str, row: tuple[Any, ...], clock: DatabaseClock
) -> PartHistory:
    submission, part, envelope, plan, state, not_before, reason, done_at = row[:8]
    name, decided = part_id(queue_id, part), PLAN.value(plan)
    in_flight = None
    if row[8] is not None:
        in_flight = Interrupted(
            submission_id=submission,
            queue_id=name,
            number=row[8],
            started_at=moment(row[9]),
            client_request_id=row[10],
            lane=decided.lane,
        )
    return PartHistory(
        submission_id=submission,
        queue_id=name,
        recipients=ENVELOPE.value(envelope).forward_paths,
        plan=decided,
        state=state_of(state, _due(not_before, clock), restored(reason)),
        done_at=_when(done_at),
        in_flight=in_flight,
        history=await _history(connection, submission),
        draft=None if row[11] is None else DRAFT.value(row[11]),
    )


async def _history(connection: Connection, submission: int) -> tuple[Attempt | HistoryEvent, ...]:
    rows = await connection.execute(
        "SELECT at, what, reason, number, started_at, outcome FROM log"
        " WHERE submission = %s ORDER BY id",
        (submission,),
    )
    return tuple([_event(row) async for row in rows])


def _event(row: tuple[Any, ...]) -> Attempt | HistoryEvent:
    at, what, reason, number, started_at, outcome = row
    if number is None:
        return HistoryEvent(at=moment(at), what=what, reason=restored(reason))
    return Attempt(
        number=number,
        started_at=moment(started_at),
        finished_at=moment(at),
        outcome=OUTCOME.value(outcome),
    )


# --- Figures -------------------------------------------------------------------------------------


async def figures(connection: Connection) -> Stats:
    found = await connection.execute(
        """SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'held'),
                  (SELECT count(*) FROM in_flight),
                  (SELECT coalesce(sum(size), 0)::bigint FROM messages WHERE id IN
                    (SELECT message FROM submissions WHERE done_at IS NULL)),
                  min(received_at) FILTER (WHERE state = 'queued'),
                  pg_database_size(current_database())
           FROM submissions WHERE done_at IS NULL"""
    )
    [row] = await found.fetchall()
    return Stats(
        queued=row[0],
        held=row[1],
        in_flight=row[2],
        octets=row[3],
        oldest=_when(row[4]),
        database=row[5],
        free=None,
    )


async def tally(connection: Connection, query: Tally) -> list[Tallied]:
    waited = "coalesce(sum(l.at - s.received_at), 0)::bigint" if query.waits else "0"
    joined_to = "JOIN submissions s ON s.id = l.submission" if query.waits else ""
    found = await connection.execute(
        f"""SELECT (l.at - %(since)s) / %(hour)s, l.what, count(*), {waited}
            FROM log l {joined_to} WHERE l.at >= %(since)s GROUP BY 1, 2 ORDER BY 1, 2""",
        {"since": microseconds(query.since), "hour": HOUR // MICROSECOND},
    )
    return [
        Tallied(
            start=query.since + number * HOUR,
            what=what,
            count=count,
            waited=passed * MICROSECOND,
        )
        async for number, what, count, passed in found
    ]


# --- Columns -------------------------------------------------------------------------------------


def _when(value: int | None) -> Any:
    return None if value is None else moment(value)


def _due(value: int | None, clock: DatabaseClock) -> Any:
    return None if value is None else clock.ours(value)
