"""What is due in a lane, in which order, and which lanes exist.

The index `submissions_turns` has the queue in the order of turns. The logins are found in it one by
one, each with a seek; likewise the clients of each login, the senders of each client, and the
oldest messages of each sender that are due. So the cost depends on how many messages are asked for,
not on how many are queued. Only messages at the beginning of a turn that are not due yet, after
failed attempts, have to be skipped.
"""

# ruff: noqa: S608 (our own words; values are bound)

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from graphrelay.model import Lane, QueueEntry
from graphrelay.spool.codec import MICROSECOND, microseconds, moment
from graphrelay.spool.sqlite.database.named import Named
from graphrelay.spool.sqlite.database.text import restored, storable
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.values import Backlog, Batch, Take, Turns

Name = str | bytes

_QUEUE = "submissions s INDEXED BY submissions_turns"
_TURN = """s.state = 'queued' AND s.account = :account AND s.mailbox = :mailbox
    AND (s.size >= 1048576) = :large"""
_TAKEN = """s.id IN (SELECT value FROM json_each(:besides))
    OR EXISTS (SELECT 1 FROM in_flight f WHERE f.submission = s.id)"""
_LATER = "s.not_before > :now AND s.not_before <= :far"
_DUE = f"{_TURN} AND NOT ({_LATER}) AND NOT ({_TAKEN})"
_LEVELS = "login", "client", "sender_key"
_OLDEST = Named(
    f"""SELECT s.id, s.received_at, s.not_before, s.size,
        s.id IN (SELECT submission FROM readings) FROM {_QUEUE} WHERE {_DUE}
    AND s.login = :login AND s.client = :client AND s.sender_key = :sender_key
    ORDER BY s.received_at, s.id LIMIT :limit"""
)


def _next(level: int, *, after: bool, until: bool) -> Named:
    """The first name on this level with something due, below the names of the levels above; within
    the bounds that are there, which the index is searched by only where they stand alone."""
    column = f"s.{_LEVELS[level]}"
    terms = [_DUE, *(f"s.{one} = :{one}" for one in _LEVELS[:level])]
    terms += [f"{column} > :after"] * after + [f"{column} <= :until"] * until
    return Named(
        f"""SELECT {column} FROM {_QUEUE} WHERE {" AND ".join(terms)}
            ORDER BY {column} LIMIT 1"""
    )


_NEXT = {
    (level, after, until): _next(level, after=after, until=until)
    for level in range(len(_LEVELS))
    for after in (False, True)
    for until in (False, True)
}
_NEXT_DUE = Named(
    f"""SELECT min(s.not_before) FROM {_QUEUE}
    WHERE s.state = 'queued' AND s.account = :account AND s.mailbox = :mailbox AND {_LATER}"""
)
_NEXT_MAILBOX = f"""SELECT s.account, s.mailbox FROM {_QUEUE}
    WHERE s.state = 'queued' AND s.account = ? AND s.mailbox > ?
    ORDER BY s.mailbox LIMIT 1"""
_NEXT_ACCOUNT = f"""SELECT s.account, s.mailbox FROM {_QUEUE}
    WHERE s.state = 'queued' AND s.account > ? ORDER BY s.account, s.mailbox LIMIT 1"""


@dataclass(frozen=True, slots=True)
class TakeDue:
    """The batch asked for, at `now` by the spool's clock."""

    wanted: Take
    now: datetime

    def __call__(self, connection: sqlite3.Connection) -> Batch:
        small, more_small = self._kind(connection, self.wanted.after_small, large=False)
        large, more_large = self._kind(connection, self.wanted.after_large, large=True)
        return Batch(
            entries=(*small, *large),
            more_small=more_small,
            more_large=more_large,
            next_in=None if more_small or more_large else self._next_in(connection),
        )

    def _kind(
        self, connection: sqlite3.Connection, after: Turns, *, large: bool
    ) -> tuple[list[QueueEntry], bool]:
        """Small or large messages, and whether there are more."""
        values = self._values() | {"large": large}
        return self._below(connection, values, after, (), self.wanted.limit)

    def _below(
        self,
        connection: sqlite3.Connection,
        values: dict[str, Any],
        after: Turns,
        path: tuple[Name, ...],
        limit: int,
    ) -> tuple[list[QueueEntry], bool]:
        """What the names below `path` have due, an equal share of each."""
        values = values | dict(zip(_LEVELS, path, strict=False))
        if len(path) == len(_LEVELS):
            rows = _OLDEST.execute(connection, values | {"limit": limit + 1}).fetchall()
            return [self._entry(path, row) for row in rows[:limit]], len(rows) > limit
        last = after.get(tuple(map(restored, path)))
        names = list(islice(self._names(connection, values, len(path), last), limit + 1))
        found: list[QueueEntry] = []
        more = len(names) > limit
        for name in names[:limit]:
            share = max(1, limit // len(names))
            entries, has_more = self._below(connection, values, after, (*path, name), share)
            found += entries
            more = more or has_more
        return found, more

    def _names(
        self, connection: sqlite3.Connection, values: dict[str, Any], level: int, last: str | None
    ) -> Iterator[Name]:
        """The names with something due, each once: starting after `last`, and wrapping around."""
        start = None if last is None else storable(last)
        rounds = [(None, None)] if start is None else [(start, None), (None, start)]
        for after, until in rounds:
            bounds = values | {"until": until}
            while row := (
                _NEXT[level, after is not None, until is not None]
                .execute(connection, bounds | {"after": after})
                .fetchone()
            ):
                (after,) = row
                yield after

    def _next_in(self, connection: sqlite3.Connection) -> timedelta | None:
        (at,) = _NEXT_DUE.execute(connection, self._values()).fetchone()
        return None if at is None else (at - microseconds(self.now)) * MICROSECOND

    def _values(self) -> dict[str, Any]:
        lane, now = self.wanted.lane, microseconds(self.now)
        return {
            "account": storable(lane.account),
            "mailbox": storable(lane.mailbox),
            "now": now,
            "far": now + self.wanted.longest_wait // MICROSECOND,
            "besides": json.dumps(sorted(self.wanted.besides)),
        }

    def _entry(self, path: tuple[Name, ...], row: tuple[int, int, int, int, int]) -> QueueEntry:
        submission, received_at, not_before, size, read = row
        login, client, sender = map(restored, path)
        times = moment(received_at), moment(not_before)
        lane = self.wanted.lane
        return QueueEntry(submission, lane, *times, sender, size, login, client, bool(read))


def lanes(connection: sqlite3.Connection) -> tuple[Lane, ...]:
    """The lanes with queued mail, each found with a seek.

    `(account, mailbox) > (?, ?)` would be shorter, but SQLite reads all mail of a lane for it.
    """
    found = []
    after: tuple[Name, Name] = "", ""
    while row := (
        connection.execute(_NEXT_MAILBOX, after).fetchone()
        or connection.execute(_NEXT_ACCOUNT, after[:1]).fetchone()
    ):
        after = row
        found.append(Lane(restored(row[0]), restored(row[1])))
    return tuple(found)


def backlogs(connection: sqlite3.Connection) -> list[Backlog]:
    rows = connection.execute(
        f"""SELECT s.account, s.mailbox, count(*), min(s.received_at) FROM {_QUEUE}
            WHERE s.state = 'queued' GROUP BY s.account, s.mailbox"""
    )
    return [
        Backlog(Lane(restored(account), restored(mailbox)), waiting, moment(oldest))
        for account, mailbox, waiting, oldest in rows
    ]


@dataclass(frozen=True, slots=True)
class ShiftWaits:
    """Adjusts to a jump of the wall clock: what was not due yet at `now` waits as long as it would
    have."""

    now: datetime
    """By the wall clock before the jump."""
    by: timedelta

    def __call__(self, transaction: DatabaseTransaction) -> None:
        transaction.connection.execute(
            "UPDATE submissions SET not_before = not_before + ?"
            " WHERE state = 'queued' AND not_before > ?",
            (self.by // MICROSECOND, microseconds(self.now)),
        )
