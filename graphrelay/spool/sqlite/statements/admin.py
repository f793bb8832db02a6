"""Changes by an administrator: hold, release, retry, delete.

A queue id without a part means every part of the message; `ID/2` means that part. While a request
for any of them is in flight the verb is refused, since its result is not known yet. Parts that are
done are not changed. The verb applies to all the others or to none, in one transaction.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from graphrelay.model import Done, Held, Lane, NextState, Queued, QueueEntry
from graphrelay.spool.changes import (
    Changed,
    Delete,
    Hold,
    NotChanged,
    NoteResent,
    Release,
    Retry,
    Verdict,
)
from graphrelay.spool.codec import moment
from graphrelay.spool.queue_ids import normalised
from graphrelay.spool.sqlite.database.text import restored
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.sqlite.statements.attempts import close_if_done, note, set_state
from graphrelay.spool.values import State, What


@dataclass(frozen=True, slots=True)
class _Part:
    id: int
    state: State
    in_flight: bool
    lane: Lane
    received_at: datetime
    not_before: datetime | None
    sender: str
    size: int
    login: str
    client: str

    def waiting(self, not_before: datetime) -> QueueEntry:
        whose = self.sender, self.size, self.login, self.client
        return QueueEntry(self.id, self.lane, self.received_at, not_before, *whose)


@dataclass(frozen=True, slots=True)
class NoteResending:
    """In the mail log of what was sent again."""

    which: NoteResent

    def __call__(self, transaction: DatabaseTransaction) -> Verdict:
        one = self.which
        note(transaction.connection, one.submission_id, "resent", one.reason, one.at)
        return Changed(())


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb, applied to what `which` names (a queue id, or a submission's id)."""

    which: str | int
    what: What
    from_states: tuple[State, ...]
    to: NextState
    reason: str
    now: datetime

    def __call__(self, transaction: DatabaseTransaction) -> Verdict:
        connection = transaction.connection
        parts = _find(connection, self.which)
        chosen = [part for part in parts if part.state in self.from_states]
        refusal = self._refusal(parts, chosen)
        if refusal is not None:
            return refusal
        for part in chosen:
            set_state(connection, part.id, self.to, self.now)
            note(connection, part.id, self.what, self.reason, self.now)
        if isinstance(self.to, Done):
            close_if_done(transaction, chosen[0].id, self.now)
        return Changed(tuple(part.waiting(self._when(part)) for part in chosen))

    def _when(self, part: _Part) -> datetime:
        if isinstance(self.to, Queued):
            return self.to.not_before
        return part.not_before or self.now

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


def verb(change: Hold | Release | Retry | Delete, now: datetime) -> Verb:
    which, reason = change.which, change.reason
    match change:
        case Hold():
            return Verb(which, "held", ("queued",), Held(reason), reason, now)
        case Release():
            return Verb(which, "released", ("held",), Queued(now), reason, now)
        case Retry():
            return Verb(which, "retried", ("queued",), Queued(now), reason, now)
        case Delete():
            return Verb(which, "deleted", ("queued", "held"), Done("deleted", reason), reason, now)


_PARTS = """SELECT s.id, s.state, f.submission IS NOT NULL, s.account, s.mailbox,
                   s.received_at, s.not_before, s.sender_key, s.size, s.login, s.client
            FROM submissions s LEFT JOIN in_flight f ON f.submission = s.id"""
_BY_ID = f"{_PARTS} WHERE s.id = ?"
_BY_NAME = f"""{_PARTS} WHERE s.message = (SELECT id FROM messages WHERE queue_id = ?)
               AND (? IS NULL OR s.part = ?) ORDER BY s.part"""  # noqa: S608 (constants)


def _find(connection: sqlite3.Connection, which: str | int) -> list[_Part]:
    if isinstance(which, int):
        rows = connection.execute(_BY_ID, (which,))
    else:
        name, part = normalised(which)
        rows = connection.execute(_BY_NAME, (name, part, part))
    return [
        _Part(
            row,
            state,
            bool(in_flight),
            Lane(restored(account), restored(mailbox)),
            moment(received_at),
            None if not_before is None else moment(not_before),
            restored(sender),
            size,
            restored(login),
            restored(client),
        )
        for (
            row,
            state,
            in_flight,
            account,
            mailbox,
            received_at,
            not_before,
            sender,
            size,
            login,
            client,
        ) in rows
    ]
