"""What people do to the queue, and what the relay finds out outside of attempts.

A queue id without a part means every part of the message; `ID/2` means that part. While a request
for any of them is on its way nothing is changed, since nobody knows yet what it would apply to.
Parts that are done already stay as they are. All or nothing, in one transaction.

The rows are locked first and read by the next statement, which then sees all that was committed
before the locks were given: also a `begin` by another relay.
"""

# ruff: noqa: S608 (our own words; values are bound)

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphrelay.model import Done, Held, Lane, NextState, Queued, QueueEntry
from graphrelay.spool.changes import (
    Changed,
    Delete,
    ForgetDraft,
    Hold,
    Move,
    NotChanged,
    NoteNdr,
    Release,
    Retry,
    Verdict,
)
from graphrelay.spool.codec import PLAN, moment
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.database_clock import DatabaseClock
from graphrelay.spool.postgres.statements.attempts import (
    close_if_done,
    note,
    set_state,
)
from graphrelay.spool.postgres.text import restored, storable
from graphrelay.spool.queue_ids import normalised
from graphrelay.spool.values import State, What

_LOCK = """SELECT id FROM submissions s WHERE {which} ORDER BY id FOR UPDATE"""
_BY_ID = "s.id = %(id)s"
_BY_NAME = """s.message = (SELECT id FROM messages WHERE queue_id = %(name)s)
    AND (%(part)s::integer IS NULL OR s.part = %(part)s)"""
_PARTS = """SELECT s.id, s.state, f.submission IS NOT NULL, s.account, s.mailbox, s.received_at,
        s.not_before, s.sender_key, s.size, s.login, s.client
    FROM submissions s LEFT JOIN in_flight f ON f.submission = s.id WHERE {which} ORDER BY s.part"""


@dataclass(frozen=True, slots=True)
class _Part:
    entry: QueueEntry
    state: State
    in_flight: bool

    @property
    def id(self) -> int:
        return self.entry.submission_id


@dataclass(frozen=True, slots=True)
class Verb:
    """The work of one verb on what `which` names (a queue id, or a submission's id)."""

    which: str | int
    what: What
    from_states: tuple[State, ...]
    to: NextState
    reason: str
    now: datetime
    clock: DatabaseClock

    async def __call__(self, connection: Connection) -> Verdict:
        parts = await self._find(connection)
        chosen = [part for part in parts if part.state in self.from_states]
        refusal = self._refusal(parts, chosen)
        if refusal is not None:
            return refusal
        for part in chosen:
            await set_state(connection, self.clock, part.id, self.to, self.now)
            await note(connection, part.id, self.what, self.reason, self.now)
        if isinstance(self.to, Done):
            await close_if_done(connection, [part.id for part in chosen])
        return Changed(tuple(self._waiting(part.entry) for part in chosen))

    async def _find(self, connection: Connection) -> list[_Part]:
        words, values = _named(self.which)
        await connection.execute(_LOCK.format(which=words), values)
        found = await connection.execute(_PARTS.format(which=words), values)
        return [self._part(row) async for row in found]

    def _part(self, row: tuple[Any, ...]) -> _Part:
        return _Part(entry_of((row[0], *row[3:]), self.clock, self.now), row[1], row[2])

    def _waiting(self, entry: QueueEntry) -> QueueEntry:
        if not isinstance(self.to, Queued):
            return entry
        return _due_at(entry, self.to.not_before)

    def _refusal(self, parts: list[_Part], chosen: list[_Part]) -> NotChanged | None:
        if not parts:
            return NotChanged("unknown", f"There is no message {self.which} in the spool.")
        if any(part.in_flight for part in parts):
            return NotChanged(
                "in flight", f"{self.which} is on its way to Microsoft just now. Try again shortly."
            )
        if chosen:
            return None
        if all(part.state not in ("queued", "held") for part in parts):
            return NotChanged("done", f"{self.which} is {parts[0].state} already.")
        if any(part.state == "held" for part in parts):
            return NotChanged("held", f"{self.which} is held. Release it to let it go on.")
        return NotChanged("not held", f"{self.which} is not held; it waits in the queue.")


def _named(which: str | int) -> tuple[str, dict[str, Any]]:
    if isinstance(which, int):
        return _BY_ID, {"id": which}
    name, part = normalised(which)
    return _BY_NAME, {"name": storable(name), "part": part}


def verb(change: Hold | Release | Retry | Delete, now: datetime, clock: DatabaseClock) -> Verb:
    which, reason = change.which, change.reason
    match change:
        case Hold():
            return Verb(which, "held", ("queued",), Held(reason), reason, now, clock)
        case Release():
            return Verb(which, "released", ("held",), Queued(now), reason, now, clock)
        case Retry():
            return Verb(which, "retried", ("queued",), Queued(now), reason, now, clock)
        case Delete():
            done = Done("deleted", reason)
            return Verb(which, "deleted", ("queued", "held"), done, reason, now, clock)


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


def _due_at(entry: QueueEntry, not_before: datetime) -> QueueEntry:
    whose = entry.sender, entry.size, entry.login, entry.client
    return QueueEntry(entry.submission_id, entry.lane, entry.received_at, not_before, *whose)


_MOVE = """UPDATE submissions s
    SET plan = %(plan)s, route = %(route)s, account = %(account)s, mailbox = %(mailbox)s
    WHERE id = %(id)s AND state = 'queued'
      AND NOT EXISTS (SELECT FROM in_flight f WHERE f.submission = s.id)
    RETURNING id, account, mailbox, received_at, not_before, sender_key, size, login, client"""


async def move(
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


async def forget_draft(connection: Connection, change: ForgetDraft) -> Verdict:
    """A newer one, which has another id, stays."""
    which = (change.submission_id, change.draft)
    for table in ("drafts", "left_drafts"):
        await connection.execute(f"DELETE FROM {table} WHERE submission = %s AND draft = %s", which)
    return Changed(())


async def note_ndr(connection: Connection, change: NoteNdr) -> Verdict:
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
