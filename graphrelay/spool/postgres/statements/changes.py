"""What people do to the queue, and what the relay finds out outside of attempts.

The rows are locked first and read by the next statement, which then sees all that was committed
before the locks were given: also a `begin` by another relay.
"""

# ruff: noqa: S608 (our own words; values are bound)

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from graphrelay.model import Done, Lane, QueueEntry
from graphrelay.spool.changes import (
    Change,
    Changed,
    Delete,
    ForgetDraft,
    Hold,
    Move,
    NotChanged,
    NoteNdr,
    NoteResent,
    Release,
    Retry,
    Verdict,
)
from graphrelay.spool.codec import PLAN, moment
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.database_clock import DatabaseClock
from graphrelay.spool.postgres.statements.attempts import close_if_done, note, set_state
from graphrelay.spool.postgres.text import restored, storable
from graphrelay.spool.queue_ids import normalised
from graphrelay.spool.verbs import Part, Verb, verb

_LOCK = """SELECT id FROM submissions s WHERE {which} ORDER BY id FOR UPDATE"""
_BY_ID = "s.id = %(id)s"
_BY_NAME = """s.message = (SELECT id FROM messages WHERE queue_id = %(name)s)
    AND (%(part)s::integer IS NULL OR s.part = %(part)s)"""
_PARTS = """SELECT s.id, s.state, f.submission IS NOT NULL, s.account, s.mailbox, s.received_at,
        s.not_before, s.sender_key, s.size, s.login, s.client
    FROM submissions s LEFT JOIN in_flight f ON f.submission = s.id WHERE {which} ORDER BY s.part"""


async def change(
    connection: Connection, change: Change, now: datetime, clock: DatabaseClock
) -> Verdict:
    match change:
        case Hold() | Release() | Retry() | Delete():
            return await _apply(connection, verb(change, now), now, clock)
        case Move():
            return await _move(connection, change, now, clock)
        case ForgetDraft():
            return await _forget_draft(connection, change)
        case NoteNdr():
            return await _note_ndr(connection, change)
        case NoteResent(number, reason, at):
            await note(connection, number, "resent", reason, at)
            return Changed(())


async def _apply(
    connection: Connection, verb: Verb, now: datetime, clock: DatabaseClock
) -> Verdict:
    words, values = _named(verb.which)
    await connection.execute(_LOCK.format(which=words), values)
    found = await connection.execute(_PARTS.format(which=words), values)
    chosen = verb.choose(
        [Part(entry_of((row[0], *row[3:]), clock, now), row[1], row[2]) async for row in found]
    )
    if isinstance(chosen, NotChanged):
        return chosen
    for entry in chosen:
        await set_state(connection, clock, entry.submission_id, verb.to, now)
        await note(connection, entry.submission_id, verb.what, verb.reason, now)
    if isinstance(verb.to, Done):
        await close_if_done(connection, [entry.submission_id for entry in chosen])
    return Changed(chosen)


def _named(which: str | int) -> tuple[str, dict[str, Any]]:
    if isinstance(which, int):
        return _BY_ID, {"id": which}
    name, part = normalised(which)
    return _BY_NAME, {"name": storable(name), "part": part}


def entry_of(row: Sequence[Any], clock: DatabaseClock, now: datetime) -> QueueEntry:
    """From id, account, mailbox, received_at, not_before, sender_key, size, login, client."""
    number, account, mailbox, received_at, not_before, sender, size, login, client = row
    return QueueEntry(
        number,
        Lane(restored(account), restored(mailbox)),
        moment(received_at),
        now if not_before is None else clock.ours(not_before),
        restored(sender),
        size,
        restored(login),
        restored(client),
    )


_MOVE = """UPDATE submissions s
    SET plan = %(plan)s, route = %(route)s, account = %(account)s, mailbox = %(mailbox)s
    WHERE id = %(id)s AND state = 'queued'
      AND NOT EXISTS (SELECT FROM in_flight f WHERE f.submission = s.id)
    RETURNING id, account, mailbox, received_at, not_before, sender_key, size, login, client"""


async def _move(
    connection: Connection, change: Move, now: datetime, clock: DatabaseClock
) -> Verdict:
    """Refused where it does not wait, or is in flight."""
    await connection.execute(_LOCK.format(which=_BY_ID), {"id": change.submission_id})
    plan = change.plan
    changed = await connection.execute(
        _MOVE,
        {
            "id": change.submission_id,
            "plan": PLAN.text(plan),
            "route": storable(plan.route),
            "account": storable(plan.lane.account),
            "mailbox": storable(plan.lane.mailbox),
        },
    )
    row = await changed.fetchone()
    if row is None:
        return NotChanged("done", f"The submission {change.submission_id} is not waiting.")
    await note(connection, change.submission_id, "moved", change.reason, now)
    return Changed((entry_of(row, clock, now),))


async def _forget_draft(connection: Connection, change: ForgetDraft) -> Verdict:
    """A newer one, which has another id, stays."""
    which = (change.submission_id, change.draft)
    for table in ("drafts", "left_drafts"):
        await connection.execute(f"DELETE FROM {table} WHERE submission = %s AND draft = %s", which)
    return Changed(())


async def _note_ndr(connection: Connection, change: NoteNdr) -> Verdict:
    """Refused where it is known already."""
    await connection.execute(_LOCK.format(which=_BY_ID), {"id": change.submission_id})
    known = await connection.execute(
        "SELECT FROM log WHERE submission = %s AND what = 'bounced' AND reason = %s",
        (change.submission_id, storable(change.reason)),
    )
    if await known.fetchone() is not None:
        return NotChanged("known", f"The NDR for submission {change.submission_id} is known.")
    await note(connection, change.submission_id, "bounced", change.reason, change.at)
    return Changed(())


async def take_back(
    connection: Connection,
    ids: Sequence[int],
    reason: str,
    now: datetime,
    clock: DatabaseClock,
) -> bool:
    """Delete submissions that wait and were never tried; all of them, or none."""
    every = {"ids": sorted(set(ids))}
    await connection.execute(_LOCK.format(which="s.id = ANY(%(ids)s::bigint[])"), every)
    found = await connection.execute(
        """SELECT count(*) FROM submissions s WHERE id = ANY(%(ids)s::bigint[])
           AND state = 'queued' AND attempts = 0
           AND NOT EXISTS (SELECT FROM in_flight f WHERE f.submission = s.id)""",
        every,
    )
    if await found.fetchone() != (len(every["ids"]),):
        return False
    for one in every["ids"]:
        await set_state(connection, clock, one, Done("deleted", reason), now)
        await note(connection, one, "deleted", reason, now)
    await close_if_done(connection, every["ids"])
    return True
