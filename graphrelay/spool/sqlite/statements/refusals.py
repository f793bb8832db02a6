"""The log of what clients were refused: as many rows at most as `values.MOST_REFUSALS`.

There is no submission that a row could belong to, so these are in a table of their own.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphrelay.spool.codec import microseconds, moment
from graphrelay.spool.queries import RefusalFilter
from graphrelay.spool.sqlite.database.text import restored, storable
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.sqlite.statements.conditions import (
    containing,
    equal,
    joined,
    key_of,
    moment_is,
    sender_is,
)
from graphrelay.spool.sqlite.statements.prune import PORTION
from graphrelay.spool.values import MOST_REFUSALS, REFUSALS_ADDED_UP, Refusal, RefusalRow

_TEXTS = ("client", "listener", "stage", "reply", "reason", "login", "sender", "recipient")
"""Columns that are called as the fields of `Refusal`: two with the same texts are added up."""
_WHAT = ", ".join(_TEXTS)
_SAME = " AND ".join(f"{column} = ?" for column in _TEXTS)


@dataclass(frozen=True, slots=True)
class NoteRefusals:
    """Add them to the log, each to the row that says the same if there is one."""

    refusals: tuple[Refusal, ...]

    def __call__(self, transaction: DatabaseTransaction) -> None:
        for refusal in self.refusals:
            self._note(transaction.connection, refusal)
        transaction.connection.execute(
            "DELETE FROM refusals WHERE id <= (SELECT id FROM refusals ORDER BY id DESC"
            " LIMIT 1 OFFSET ?)",
            (MOST_REFUSALS,),
        )

    def _note(self, connection: sqlite3.Connection, refusal: Refusal) -> None:
        what = tuple(storable(getattr(refusal, name)) for name in _TEXTS)
        since, times = microseconds(refusal.since), refusal.times
        began = microseconds(refusal.since - REFUSALS_ADDED_UP)
        row = connection.execute(
            f"SELECT id, since, times FROM refusals WHERE {_SAME} AND since > ?"  # noqa: S608
            " ORDER BY id DESC LIMIT 1",
            (*what, began),
        ).fetchone()
        if row is not None:
            connection.execute("DELETE FROM refusals WHERE id = ?", (row[0],))
            since, times = min(since, row[1]), times + row[2]
        connection.execute(
            f"INSERT INTO refusals (since, at, times, {_WHAT}, sender_key, recipient_key)"  # noqa: S608
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(since, microseconds(refusal.at), times, *what),
                *(_kept_key(refusal.sender), _kept_key(refusal.recipient)),
            ),
        )


def log(connection: sqlite3.Connection, wanted: RefusalFilter) -> list[RefusalRow]:
    where, values = joined(
        [
            *equal("client", wanted.client),
            *_same_address("sender_key", wanted.sender),
            *_same_address("recipient_key", wanted.recipient),
            *containing("reply", wanted.reply),
            *moment_is("at >= ?", wanted.since),
            *moment_is("since < ?", wanted.until),
            *([] if wanted.after_id is None else [("id > ?", (wanted.after_id,))]),
        ]
    )
    order = "at DESC, id DESC" if wanted.after_id is None else "id ASC"
    rows = connection.execute(
        f"SELECT id, since, at, times, {_WHAT} FROM refusals"  # noqa: S608
        f" WHERE {where} ORDER BY {order} LIMIT ?",
        (*values, wanted.limit),
    )
    return [_row(row) for row in rows]


@dataclass(frozen=True, slots=True)
class PruneRefusals:
    """Forget up to `PORTION` rows of before `before`; how many."""

    before: datetime

    def __call__(self, transaction: DatabaseTransaction) -> int:
        return transaction.connection.execute(
            "DELETE FROM refusals WHERE id IN"
            " (SELECT id FROM refusals WHERE at < ? ORDER BY at LIMIT ?)",
            (microseconds(self.before), PORTION),
        ).rowcount


def _row(row: tuple[Any, ...]) -> RefusalRow:
    number, since, at, times, *what = row
    texts = dict(zip(_TEXTS, map(restored, what), strict=True))
    refusal = Refusal(since=moment(since), at=moment(at), times=times, **texts)
    return RefusalRow(number, refusal)


_NULL = "<>"


def _kept_key(text: str) -> str | bytes:
    """Where no sender was given yet, there is none to compare; the null sender is one."""
    return text if text in ("", _NULL) else key_of(text)


def _same_address(column: str, wanted: str | None) -> list[tuple[str, tuple[Any, ...]]]:
    if wanted is not None and not key_of(wanted):
        return equal(column, _NULL)
    return sender_is(wanted, column)
