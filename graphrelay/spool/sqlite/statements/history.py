"""Reading the spool: the queue, the history of a message, the mail log, totals.

These run on a separate read-only connection in a separate thread: listing a year of mail never
delays a 250. Each is one statement, so that its result is consistent.
"""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
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
from graphrelay.spool.queries import (
    HOUR,
    HistoryOf,
    LogFilter,
    QueueFilter,
    SharesMessageId,
    Tally,
)
from graphrelay.spool.queue_ids import normalised, part_id
from graphrelay.spool.sqlite.database.text import restored, storable
from graphrelay.spool.sqlite.statements.conditions import (
    Conditions,
    containing,
    equal,
    joined,
    message_is,
    moment_is,
    recipient_is,
    recipient_is_among,
    sender_is,
)
from graphrelay.spool.values import (
    HistoryEvent,
    Interrupted,
    LogRow,
    MessageHistory,
    PartHistory,
    QueueRow,
    Tallied,
    state_of,
)

# --- The queue -----------------------------------------------------------------------------------


def queue(connection: sqlite3.Connection, wanted: QueueFilter) -> list[QueueRow]:
    where, values = joined([*_waiting(wanted), ("s.id > ?", (wanted.after_id,))])
    rows = connection.execute(
        f"""SELECT s.id, m.queue_id, s.part, s.received_at, s.envelope, m.size, m.subject,
                   s.account, s.mailbox, s.plan, s.state, s.not_before, s.reason,
                   coalesce(f.number, s.attempts), f.started_at,
                   (SELECT l.reason FROM log l WHERE l.submission = s.id AND l.number IS NOT NULL
                    ORDER BY l.id DESC LIMIT 1)
            FROM submissions s JOIN messages m ON m.id = s.message
            LEFT JOIN in_flight f ON f.submission = s.id
            WHERE {where} ORDER BY s.id LIMIT ?""",  # noqa: S608 (our own words; values are bound)
        (*values, wanted.limit),
    )
    return [_queue_row(row) for row in rows]


def matching(connection: sqlite3.Connection, wanted: QueueFilter) -> int:
    where, values = joined(_waiting(wanted))
    # Only the sender is in messages, and to look there for each row takes ten times as long.
    messages = "JOIN messages m ON m.id = s.message" if wanted.sender is not None else ""
    [count] = connection.execute(
        f"SELECT count(*) FROM submissions s {messages} WHERE {where}",  # noqa: S608 (as above)
        values,
    ).fetchone()
    return int(count)


def _waiting(wanted: QueueFilter) -> Conditions:
    return [
        ("s.done_at IS NULL", ()),
        *equal("s.state", wanted.state),
        *equal("s.account", wanted.account),
        *equal("s.mailbox", wanted.mailbox),
        *equal("json_extract(s.plan, '$.route')", wanted.route),
        *sender_is(wanted.sender),
        *recipient_is(wanted.recipient),
        *moment_is("s.received_at < ?", wanted.received_before),
    ]


def _queue_row(row: tuple[Any, ...]) -> QueueRow:
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
        state=state_of(row[10], _when(row[11]), restored(row[12])),
        attempts=row[13],
        in_flight_since=_when(row[14]),
        last=restored(row[15] or ""),
    )


def shares_message_id(connection: sqlite3.Connection, wanted: SharesMessageId) -> bool:
    found = connection.execute(
        """SELECT 1 FROM messages m JOIN submissions s ON s.message = m.id
           WHERE m.message_id = ? AND s.id <> ? LIMIT 1""",
        (storable(wanted.message_id), wanted.besides),
    )
    return found.fetchone() is not None


# --- The mail log --------------------------------------------------------------------------------


_LATELY = 20_000
"""Rows of the log among which what is newest is looked for first."""


def log(connection: sqlite3.Connection, wanted: LogFilter, lately: int = _LATELY) -> list[LogRow]:
    """By a sender or recipient of much mail, the index finds far more than is wanted, and all of it
    would be sorted: so the newest rows are looked through first, and the index is asked only where
    these are too few."""
    if wanted.after_id is None and (wanted.sender or wanted.recipient):
        rows = _rows(connection, _LOOKED_THROUGH, _conditions(wanted, lately), "DESC", wanted.limit)
        if len(rows) == wanted.limit:
            return rows
    order = "DESC" if wanted.after_id is None else "ASC"
    return _rows(connection, _BY_INDEX, _conditions(wanted), order, wanted.limit)


_BY_INDEX = "log l JOIN submissions s ON s.id = l.submission JOIN messages m ON m.id = s.message"
_LOOKED_THROUGH = _BY_INDEX.replace("JOIN", "CROSS JOIN")
"""SQLite then reads the tables in this order (https://www.sqlite.org/lang_select.html)."""


def _conditions(wanted: LogFilter, lately: int | None = None) -> Conditions:
    """`lately`: only of so many rows, the newest or those before `before_id`."""
    newest: Conditions = []
    recipient = recipient_is(wanted.recipient)
    if lately is not None:
        last = "coalesce(?, (SELECT max(id) + 1 FROM log))"
        newest = [(f"l.id >= {last} - ?", (wanted.before_id, lately))]
        recipient = recipient_is_among(wanted.recipient)
    return [
        *equal("l.what", wanted.outcome),
        *equal("m.client", wanted.client),
        *message_is(wanted.queue_id),
        *sender_is(wanted.sender),
        *recipient,
        *containing("m.subject", wanted.subject),
        *moment_is("l.at >= ?", wanted.since),
        *moment_is("l.at < ?", wanted.until),
        *([] if wanted.after_id is None else [("l.id > ?", (wanted.after_id,))]),
        *([] if wanted.before_id is None else [("l.id < ?", (wanted.before_id,))]),
        *newest,
    ]


def _rows(
    connection: sqlite3.Connection, tables: str, conditions: Conditions, order: str, limit: int
) -> list[LogRow]:
    where, values = joined(conditions)
    rows = connection.execute(
        f"""SELECT l.id, l.at, m.queue_id, s.part, s.id, l.what, l.reason, s.envelope, m.size,
                   m.subject, m.client, s.account, s.mailbox, l.number, l.started_at, l.outcome,
                   EXISTS (SELECT 1 FROM bodies b WHERE b.message = m.id)
            FROM {tables} WHERE {where} ORDER BY l.id {order} LIMIT ?""",  # noqa: S608
        (*values, limit),
    )
    return [_log_row(row) for row in rows]


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


def tally(connection: sqlite3.Connection, wanted: Tally) -> list[Tallied]:
    since, hour = microseconds(wanted.since), HOUR // MICROSECOND
    waited = "sum(l.at - s.received_at)" if wanted.waits else "0"
    joined = "JOIN submissions s ON s.id = l.submission" if wanted.waits else ""
    rows = connection.execute(
        f"""SELECT (l.at - :since) / :hour, l.what, count(*), {waited} FROM log l {joined}
            WHERE l.at >= :since GROUP BY 1, 2 ORDER BY 1, 2""",  # noqa: S608 (our own words)
        {"since": since, "hour": hour},
    )
    return [
        Tallied(
            start=wanted.since + number * HOUR,
            what=what,
            count=count,
            waited=timedelta(microseconds=passed),
        )
        for number, what, count, passed in rows
    ]


# --- One message ---------------------------------------------------------------------------------


def message(connection: sqlite3.Connection, query: HistoryOf) -> MessageHistory | None:
    connection.execute("BEGIN")
    try:
        return _message_in(connection, normalised(query.queue_id)[0])
    finally:
        connection.execute("COMMIT")


def _message_in(connection: sqlite3.Connection, queue_id: str) -> MessageHistory | None:
    row = connection.execute(
        """SELECT m.id, m.received_at, m.origin, m.message_id, m.subject, m.size,
                  EXISTS (SELECT 1 FROM bodies b WHERE b.message = m.id)
           FROM messages m WHERE m.queue_id = ?""",
        (queue_id,),
    ).fetchone()
    if row is None:
        return None
    parts = connection.execute(
        """SELECT s.id, s.part, s.envelope, s.plan, s.state, s.not_before, s.reason, s.done_at,
                  f.number, f.started_at, f.client_request_id, d.progress
           FROM submissions s LEFT JOIN in_flight f ON f.submission = s.id
           LEFT JOIN drafts d ON d.submission = s.id
           WHERE s.message = ? ORDER BY s.part""",
        (row[0],),
    ).fetchall()
    return MessageHistory(
        queue_id=queue_id,
        received_at=moment(row[1]),
        sender=ENVELOPE.value(parts[0][2]).reverse_path,
        origin=ORIGIN.value(row[2]),
        message_id=restored(row[3]),
        subject=restored(row[4]),
        size=row[5],
        octets_kept=bool(row[6]),
        parts=tuple(_part(connection, queue_id, part) for part in parts),
    )


def _part(connection: sqlite3.Connection, queue_id: str, row: tuple[Any, ...]) -> PartHistory:
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
        state=state_of(state, _when(not_before), restored(reason)),
        done_at=_when(done_at),
        in_flight=in_flight,
        history=tuple(_history(connection, submission)),
        draft=None if row[11] is None else DRAFT.value(row[11]),
    )


def _history(connection: sqlite3.Connection, submission: int) -> Iterator[Attempt | HistoryEvent]:
    rows = connection.execute(
        "SELECT at, what, reason, number, started_at, outcome FROM log"
        " WHERE submission = ? ORDER BY id",
        (submission,),
    )
    for at, what, reason, number, started_at, outcome in rows:
        if number is None:
            yield HistoryEvent(at=moment(at), what=what, reason=restored(reason))
        else:
            yield Attempt(
                number=number,
                started_at=moment(started_at),
                finished_at=moment(at),
                outcome=OUTCOME.value(outcome),
            )


# --- Totals --------------------------------------------------------------------------------------


def figures(connection: sqlite3.Connection) -> tuple[int, int, int, int, int | None]:
    """Queued, held, in flight, octets (a message's once, with its first part that is not done), and
    when the oldest that is queued was received."""
    row: tuple[int, int, int, int, int | None] = connection.execute(
        """SELECT coalesce(sum(state = 'queued'), 0), coalesce(sum(state = 'held'), 0),
                  (SELECT count(*) FROM in_flight),
                  coalesce(sum(CASE WHEN part = 1 OR NOT EXISTS
                    (SELECT 1 FROM submissions o
                     WHERE o.message = s.message AND o.part < s.part AND o.done_at IS NULL)
                    THEN size END), 0),
                  min(CASE WHEN state = 'queued' THEN received_at END)
           FROM submissions s INDEXED BY submissions_open WHERE done_at IS NULL"""
    ).fetchone()
    return row


def _when(value: int | None) -> Any:
    return None if value is None else moment(value)
