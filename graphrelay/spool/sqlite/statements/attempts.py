"""From the queue to Graph and back: loading, beginning and finishing.

    queued ──begin──▶ queued + a row in in_flight ──finish──▶ queued | held | relayed | failed

The row in `in_flight` is on the disk before the request is sent. If it is found at startup, the
process died in between, and the message may have been sent.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphrelay.model import (
    Attempt,
    Body,
    Done,
    DraftProgress,
    Held,
    InlineBody,
    Lane,
    NextState,
    Queued,
    Relayed,
    Submission,
)
from graphrelay.spool.changes import Changed, ForgetDraft, Verdict
from graphrelay.spool.codec import DRAFT, ENVELOPE, ORIGIN, OUTCOME, PLAN, microseconds, moment
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.queue_ids import part_id
from graphrelay.spool.sqlite.database.text import restored, storable
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.sqlite.files.bodies import BodyFolder, FileBody
from graphrelay.spool.values import Interrupted, LeftBehind


@dataclass(frozen=True, slots=True)
class OctetsLost:
    """The submission was held because it cannot be read."""

    queue_id: str
    reason: str


# --- Reading -------------------------------------------------------------------------------------


def interrupted(connection: sqlite3.Connection) -> list[Interrupted]:
    rows = connection.execute(
        """SELECT f.submission, m.queue_id, s.part, f.number, f.started_at, f.client_request_id,
                  s.account, s.mailbox
           FROM in_flight f
           JOIN submissions s ON s.id = f.submission JOIN messages m ON m.id = s.message
           ORDER BY f.submission"""
    )
    return [
        Interrupted(
            submission_id=submission,
            queue_id=part_id(queue_id, part),
            number=number,
            started_at=moment(started_at),
            client_request_id=client_request_id,
            lane=Lane(restored(account), restored(mailbox)),
        )
        for (
            submission,
            queue_id,
            part,
            number,
            started_at,
            client_request_id,
            account,
            mailbox,
        ) in rows
    ]


# --- An attempt ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Load:
    """Loads a submission with its body."""

    submission: int
    folder: BodyFolder
    now: datetime
    kept: bool = False
    """Also one that is done, whose octets are kept."""

    def __call__(self, transaction: DatabaseTransaction) -> Submission | OctetsLost:
        row = transaction.connection.execute(
            """SELECT m.queue_id, s.part, s.envelope, m.origin, s.plan, s.received_at, m.message_id,
                      b.prefix, b.octets, coalesce(f.number, s.attempts), d.progress
               FROM submissions s JOIN messages m ON m.id = s.message
               LEFT JOIN bodies b ON b.message = m.id
               LEFT JOIN drafts d ON d.submission = s.id
               LEFT JOIN in_flight f ON f.submission = s.id
               WHERE s.id = ? AND (s.done_at IS NULL OR (? AND b.message IS NOT NULL))""",
            (self.submission, self.kept),
        ).fetchone()
        if row is None:
            raise NotQueued(f"The submission {self.submission} is not in the queue any more.")
        queue_id, part, envelope, origin, plan, received_at, message_id = row[:7]
        try:
            return Submission(
                id=self.submission,
                queue_id=part_id(queue_id, part),
                envelope=ENVELOPE.value(envelope),
                origin=ORIGIN.value(origin),
                plan=PLAN.value(plan),
                received_at=moment(received_at),
                message_id=restored(message_id),
                prefix=row[7] or b"",
                body=self._body(transaction.connection, row[8]),
                attempts=row[9],
                draft=None if row[10] is None else DRAFT.value(row[10]),
            )
        except (ValueError, FileNotFoundError) as error:
            if self._is_done(transaction.connection):
                raise NotQueued(f"The octets of submission {self.submission} are gone.") from error
            lost = OctetsLost(part_id(queue_id, part), f"Its octets are lost: {error}")
            hold_lost(transaction, self.submission, lost.reason, self.now)
            return lost

    def _body(self, connection: sqlite3.Connection, octets: bytes | None) -> Body:
        if octets is not None:
            return InlineBody(octets)
        row = connection.execute(
            """SELECT file, size FROM bodies
               WHERE message = (SELECT message FROM submissions WHERE id = ?)""",
            (self.submission,),
        ).fetchone()
        if row is None:
            raise FileNotFoundError("there is no row for them")
        file, size = row
        return FileBody(self.folder.whole(file, size), size)

    def _is_done(self, connection: sqlite3.Connection) -> bool:
        done = connection.execute(
            "SELECT 1 FROM submissions WHERE id = ? AND done_at IS NOT NULL", (self.submission,)
        )
        return done.fetchone() is not None


def count_in_flight(connection: sqlite3.Connection) -> None:
    """Count the attempts in flight, which may get no outcome: otherwise `Finish` does it, so that
    `Begin` need not write to `submissions`."""
    connection.execute(
        """UPDATE submissions SET attempts = f.number FROM in_flight f
           WHERE f.submission = submissions.id"""
    )


def hold_lost(
    transaction: DatabaseTransaction, submission: int, reason: str, now: datetime
) -> None:
    """Hold a submission that cannot be read; it is neither sent nor deleted."""
    count_in_flight(transaction.connection)
    transaction.connection.execute("DELETE FROM in_flight WHERE submission = ?", (submission,))
    set_state(transaction.connection, submission, Held(reason), now)
    note(transaction.connection, submission, "held", reason, now)


QUEUED = "s.id = ? AND s.state = 'queued' AND s.account = ? AND s.mailbox = ?"
_NOT_IN_FLIGHT = "NOT EXISTS (SELECT 1 FROM in_flight f WHERE f.submission = s.id)"
WAITS = f"{QUEUED} AND {_NOT_IN_FLIGHT}"


def queued(submission: int, lane: Lane) -> tuple[Any, ...]:
    """The values for `QUEUED` and `WAITS`: whether it is queued in that lane, and not in flight."""
    return submission, storable(lane.account), storable(lane.mailbox)


@dataclass(frozen=True, slots=True)
class Begin:
    """Records durably that a request will be sent. Returns the attempt's number."""

    submission: int
    lane: Lane
    attempts: int
    """Before this one, when the submission was loaded."""
    started_at: datetime
    client_request_id: str

    def __call__(self, transaction: DatabaseTransaction) -> int:
        connection, number = transaction.connection, self.attempts + 1
        mark = connection.execute(
            f"""INSERT INTO in_flight SELECT s.id, ?, ?, ? FROM submissions s
                WHERE {QUEUED} AND s.attempts = ?
                ON CONFLICT DO NOTHING""",  # noqa: S608 (our own words)
            (
                number,
                microseconds(self.started_at),
                self.client_request_id,
                *queued(self.submission, self.lane),
                self.attempts,
            ),
        )
        if not mark.rowcount:
            raise NotQueued(f"The submission {self.submission} does not wait for an attempt.")
        connection.execute("DELETE FROM readings WHERE submission = ?", (self.submission,))
        return number


@dataclass(frozen=True, slots=True)
class Finish:
    """Records the outcome and the next state. Repeating it with the same number changes nothing."""

    submission: int
    attempt: Attempt
    following: NextState
    keep_octets: bool = False
    """Also of a message that is done; `ForgetOctets` deletes them later."""

    def __call__(self, transaction: DatabaseTransaction) -> bool:
        """False if it was done before."""
        connection, number = transaction.connection, self.attempt.number
        mark = connection.execute(
            "DELETE FROM in_flight WHERE submission = ? AND number = ?", (self.submission, number)
        )
        if not mark.rowcount:
            self._check_finished(connection)
            return False
        outcome = self.attempt.outcome
        what, at = type(outcome).__name__.lower(), self.attempt.finished_at
        reason = outcome.answer.message if isinstance(outcome, Relayed) else outcome.reason
        connection.execute(
            """INSERT INTO log (at, submission, what, reason, number, started_at, outcome)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (
                microseconds(at),
                self.submission,
                what,
                storable(reason),
                number,
                microseconds(self.attempt.started_at),
                OUTCOME.text(outcome),
            ),
        )
        match self.following:
            case Held(why):
                note(connection, self.submission, "held", why, at)
            case Done(how, why) if how != what:
                note(connection, self.submission, how, why, at)
            case _:
                pass
        set_state(connection, self.submission, self.following, at, attempts=number)
        if isinstance(outcome, Relayed):
            _settle_draft(connection, self.submission)
        if isinstance(self.following, Done):
            close_if_done(transaction, self.submission, at, keep_octets=self.keep_octets)
        return True

    def _check_finished(self, connection: sqlite3.Connection) -> None:
        found = connection.execute(
            "SELECT 1 FROM log WHERE submission = ? AND number = ?",
            (self.submission, self.attempt.number),
        )
        if found.fetchone() is None:
            raise NotQueued(
                f"The attempt {self.attempt.number} at submission {self.submission} is unknown."
            )


def take_back(
    transaction: DatabaseTransaction, ids: Sequence[int], reason: str, now: datetime
) -> bool:
    """Delete queued submissions that were never tried; all of them, or none."""
    connection = transaction.connection
    untouched = """SELECT 1 FROM submissions WHERE id = ? AND state = 'queued' AND attempts = 0
                   AND NOT EXISTS (SELECT 1 FROM in_flight WHERE submission = ?)"""
    if not all(connection.execute(untouched, (one, one)).fetchone() for one in ids):
        return False
    for one in ids:
        set_state(connection, one, Done("deleted", reason), now)
        note(connection, one, "deleted", reason, now)
        close_if_done(transaction, one, now)
    return True


# --- Drafts --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeepDraft:
    """Records the progress of a draft while an attempt at its submission is in flight. A draft that
    it replaces is left to be deleted."""

    submission: int
    progress: DraftProgress

    def __call__(self, transaction: DatabaseTransaction) -> None:
        connection, draft = transaction.connection, self.progress.id
        leave_draft(connection, self.submission, unless=draft)
        connection.execute("DELETE FROM left_drafts WHERE draft = ?", (draft,))
        kept = connection.execute(
            """INSERT INTO drafts (submission, progress)
               SELECT submission, ? FROM in_flight WHERE submission = ?
               ON CONFLICT (submission) DO UPDATE SET progress = excluded.progress""",
            (DRAFT.text(self.progress), self.submission),
        )
        if not kept.rowcount:
            raise NotQueued(f"No attempt at the submission {self.submission} is under way.")


@dataclass(frozen=True, slots=True)
class DropDraft:
    """Records that the draft no longer exists. A newer one, which has another id, stays."""

    which: ForgetDraft

    def __call__(self, transaction: DatabaseTransaction) -> Verdict:
        connection, which = transaction.connection, (self.which.submission_id, self.which.draft)
        connection.execute(
            "DELETE FROM drafts WHERE submission = ? AND json_extract(progress, '$.id') = ?", which
        )
        connection.execute("DELETE FROM left_drafts WHERE submission = ? AND draft = ?", which)
        return Changed(())


def leave_draft(connection: sqlite3.Connection, submission: int, unless: str = "") -> None:
    """Mark the submission's draft as no longer used, to be deleted."""
    which = (submission, unless)
    connection.execute(
        """INSERT OR IGNORE INTO left_drafts (draft, submission, account, mailbox)
           SELECT json_extract(d.progress, '$.id'), s.id, s.account, s.mailbox
           FROM drafts d JOIN submissions s ON s.id = d.submission
           WHERE s.id = ? AND json_extract(d.progress, '$.id') <> ?""",
        which,
    )
    connection.execute(
        "DELETE FROM drafts WHERE submission = ? AND json_extract(progress, '$.id') <> ?", which
    )


def _settle_draft(connection: sqlite3.Connection, submission: int) -> None:
    """For a submission that was relayed: its draft is now the copy in Sent Items, unless no request
    to send the draft was made because another method was used."""
    found = connection.execute("SELECT progress FROM drafts WHERE submission = ?", (submission,))
    row = found.fetchone()
    if row is None:
        return
    if not DRAFT.value(row[0]).sending:
        leave_draft(connection, submission)
    connection.execute("DELETE FROM drafts WHERE submission = ?", (submission,))


def left_behind(connection: sqlite3.Connection) -> list[LeftBehind]:
    """Drafts of submissions that were given up, and those that their submissions abandoned; but
    none while an attempt is in flight, which may find the draft and send it."""
    rows = connection.execute(
        """SELECT s.id, m.queue_id, s.part, d.account, d.mailbox, d.draft
           FROM (SELECT d.submission, s.account, s.mailbox,
                        json_extract(d.progress, '$.id') AS draft
                 FROM drafts d JOIN submissions s ON s.id = d.submission
                 WHERE s.done_at IS NOT NULL
                 UNION ALL SELECT submission, account, mailbox, draft FROM left_drafts
                 WHERE submission NOT IN (SELECT submission FROM in_flight)) d
           JOIN submissions s ON s.id = d.submission
           JOIN messages m ON m.id = s.message ORDER BY s.id"""
    )
    return [
        LeftBehind(
            submission_id=submission,
            queue_id=part_id(queue_id, part),
            lane=Lane(restored(account), restored(mailbox)),
            draft=draft,
        )
        for submission, queue_id, part, account, mailbox, draft in rows
    ]


# --- Shared by several works ---------------------------------------------------------------------


def set_state(
    connection: sqlite3.Connection,
    submission: int,
    state: NextState,
    now: datetime,
    *,
    attempts: int | None = None,
) -> None:
    """The number of attempts stays where none is given."""
    columns: tuple[str, int | None, str | bytes, int | None]
    match state:
        case Queued(not_before):
            columns = ("queued", microseconds(not_before), "", None)
        case Held(reason):
            columns = ("held", None, storable(reason), None)
        case Done(how, reason):
            columns = (how, None, storable(reason), microseconds(now))
    connection.execute(
        """UPDATE submissions SET state = ?, not_before = ?, reason = ?, done_at = ?,
                                  attempts = coalesce(?, attempts) WHERE id = ?""",
        (*columns, attempts, submission),
    )


def note(
    connection: sqlite3.Connection, submission: int, what: str, reason: str, now: datetime
) -> None:
    """Add a line to the mail log that is not an attempt."""
    connection.execute(
        "INSERT INTO log (at, submission, what, reason) VALUES (?, ?, ?, ?)",
        (microseconds(now), submission, what, storable(reason)),
    )


def close_if_done(
    transaction: DatabaseTransaction, submission: int, now: datetime, *, keep_octets: bool = False
) -> None:
    """If all parts of the message are done, so is the message, and its octets are deleted; the mail
    log stays."""
    connection = transaction.connection
    closed = connection.execute(
        """UPDATE messages SET done_at = ?
           WHERE id = (SELECT message FROM submissions WHERE id = ?)
             AND NOT EXISTS (SELECT 1 FROM submissions
                             WHERE message = messages.id AND done_at IS NULL)""",
        (microseconds(now), submission),
    )
    if not closed.rowcount or keep_octets:
        return
    small = connection.execute(
        """DELETE FROM bodies WHERE file IS NULL
           AND message = (SELECT message FROM submissions WHERE id = ?)""",
        (submission,),
    )
    if not small.rowcount:
        (message,) = connection.execute(
            "SELECT message FROM submissions WHERE id = ?", (submission,)
        ).fetchone()
        forget_octets(transaction, message)


def forget_octets(transaction: DatabaseTransaction, message: int) -> None:
    """Delete the octets of the message, if there are any."""
    connection = transaction.connection
    files = connection.execute(
        "SELECT file FROM bodies WHERE message = ? AND file IS NOT NULL", (message,)
    )
    transaction.files_to_unlink += [name for (name,) in files]
    connection.execute("DELETE FROM bodies WHERE message = ?", (message,))
