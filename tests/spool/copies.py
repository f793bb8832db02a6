"""A queue with everything that a queue can have, and what is in one, for the tests of copying."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from graphrelay.clock import Clock
from graphrelay.journal import Journal
from graphrelay.model import Done, DraftProgress, Lane, Origin, Queued
from graphrelay.spool.changes import Hold
from graphrelay.spool.contract import Spool
from graphrelay.spool.copying import TABLES
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.values import Divided
from tests.spool.mail import (
    ANNA,
    BERT,
    NOON,
    REFUSED,
    a_message,
    delayed,
    entry,
    plan,
    put,
    relayed,
)

LARGE = bytes(range(256)) * 3000
"""Over the inline limit, and no whole number of pieces."""
ODD = "Bestell\udce4tigung \x1b[1m\x00 \u2713"
"""A subject from octets that were no UTF-8, with control characters."""
ELSEWHERE = Lane("printer", "printer@contoso.com")


async def everything(spool: Spool) -> None:
    """One message in each state."""
    await put(spool)
    await put(spool, LARGE, a_message((plan(ELSEWHERE), (ANNA, BERT)), prefix=b"X: 1\r\n"))
    await put(spool, message=a_message(sender=None, subject=ODD, origin=_odd_origin()))
    [held] = await put(spool)
    await spool.change(Hold(held.id, f"by a person {ODD}"))
    [gone] = await put(spool, LARGE)
    await _attempt(spool, gone.id, relayed(), Done("relayed"))
    [later] = await put(spool)
    await _attempt(spool, later.id, delayed(), Queued(NOON + timedelta(hours=1)))
    [divided] = await put(spool, message=a_message((plan(), (ANNA, BERT))))
    pieces = Divided(NOON, ((ANNA,), (BERT,)))
    await _attempt(spool, divided.id, delayed(), pieces, draft="D-left")
    [flying] = await put(spool)
    flying = await spool.load_to_send(entry(flying))
    await spool.begin(flying, NOON, "request-7")
    await spool.keep_draft(flying, DraftProgress(id="D-1", attachments=2, attached=1))
    [read] = await put(spool)
    await spool.load_to_send(entry(read))
    await spool.note_refusals([REFUSED])


def _odd_origin() -> Origin:
    return Origin(listener="127.0.0.1:2525", client="::1", helo="h", login=ODD, author=ODD)


async def _attempt(
    spool: Spool, number: int, attempt: Any, following: Any, draft: str = ""
) -> None:
    submission = await spool.load(number)
    submission = await spool.load_to_send(entry(submission))
    await spool.begin(submission, NOON, "request-1")
    if draft:
        await spool.keep_draft(submission, DraftProgress(id=draft))
    await spool.finish(submission, attempt, following)


async def filled(directory: Path, clock: Clock, journal: Journal) -> None:
    """A state directory with such a queue, closed. The second start counts what is in flight."""
    async with SqliteSpool.open(directory, clock, journal, reserve=0) as spool:
        await everything(spool)
    async with SqliteSpool.open(directory, clock, journal, reserve=0):
        pass


def contents(directory: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows, with the octets of large bodies in place of their files' names."""
    with closing(sqlite3.connect(directory / "spool.db")) as connection:
        found = {}
        for table in (*(table.name for table in TABLES), "sqlite_sequence"):
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            found[table] = sorted((_with_octets(row, directory) for row in rows), key=repr)
        found["left_drafts"] = [row[1:] for row in found["left_drafts"]]
        return found


def _with_octets(row: Iterable[Any], directory: Path) -> tuple[Any, ...]:
    return tuple(
        (directory / "bodies" / value).read_bytes()
        if isinstance(value, str) and value.endswith(".body")
        else value
        for value in row
    )
