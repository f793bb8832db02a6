"""Changes by an administrator: hold, release, retry, delete."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from graphrelay.model import Done, Lane, QueueEntry
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
from graphrelay.spool.verbs import Part, verb


@dataclass(frozen=True, slots=True)
class NoteResending:
    """In the mail log of what was sent again."""

    which: NoteResent

    def __call__(self, transaction: DatabaseTransaction) -> Verdict:
        one = self.which
        note(transaction.connection, one.submission_id, "resent", one.reason, one.at)
        return Changed(())


@dataclass(frozen=True, slots=True)
class Apply:
    """Applies a verb."""

    change: Hold | Release | Retry | Delete
    now: datetime

    def __call__(self, transaction: DatabaseTransaction) -> Verdict:
        connection, now, asked = transaction.connection, self.now, verb(self.change, self.now)
        chosen = asked.choose(_find(connection, asked.which, now))
        if isinstance(chosen, NotChanged):
            return chosen
        for entry in chosen:
            set_state(connection, entry.submission_id, asked.to, now)
            note(connection, entry.submission_id, asked.what, asked.reason, now)
        if isinstance(asked.to, Done):
            close_if_done(transaction, chosen[0].submission_id, now)
        return Changed(chosen)


_PARTS = """SELECT s.id, s.state, f.submission IS NOT NULL, s.account, s.mailbox,
                   s.received_at, s.not_before, s.sender_key, s.size, s.login, s.client
            FROM submissions s LEFT JOIN in_flight f ON f.submission = s.id"""
_BY_ID = f"{_PARTS} WHERE s.id = ?"
_BY_NAME = f"""{_PARTS} WHERE s.message = (SELECT id FROM messages WHERE queue_id = ?)
               AND (? IS NULL OR s.part = ?) ORDER BY s.part"""  # noqa: S608 (constants)


def _find(connection: sqlite3.Connection, which: str | int, now: datetime) -> list[Part]:
    if isinstance(which, int):
        rows = connection.execute(_BY_ID, (which,))
    else:
        name, part = normalised(which)
        rows = connection.execute(_BY_NAME, (name, part, part))
    return [
        Part(
            QueueEntry(
                number,
                Lane(restored(account), restored(mailbox)),
                moment(received_at),
                now if not_before is None else moment(not_before),
                restored(sender),
                size,
                restored(login),
                restored(client),
            ),
            state,
            bool(in_flight),
        )
        for (
            number,
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
