"""The log of what clients were refused: as many rows at most as `values.MOST_REFUSALS`."""

# ruff: noqa: S608 (our own words; values are bound)

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from graphrelay.spool.codec import microseconds, moment
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.statements.conditions import (
    Conditions,
    containing,
    equal,
    joined,
    key_of,
    moment_is,
    sender_is,
)
from graphrelay.spool.postgres.text import restored, storable
from graphrelay.spool.queries import RefusalFilter
from graphrelay.spool.values import MOST_REFUSALS, REFUSALS_ADDED_UP, Refusal, RefusalRow

_TEXTS = ("client", "listener", "stage", "reply", "reason", "login", "sender", "recipient")
"""Columns that are called as the fields of `Refusal`: two with the same texts are added up."""
_WHAT = ", ".join(_TEXTS)
_COLUMNS = f"since, at, times, {_WHAT}, sender_key, recipient_key"
_LOCK = 0x67727265660
"""Of the advisory lock of whoever adds refusals up."""
_KNOWN = f"""DELETE FROM refusals r USING (
        SELECT DISTINCT ON ({_WHAT}) id FROM refusals
        JOIN unnest({", ".join(["%s::text[]"] * len(_TEXTS))}, %s::bigint[])
            AS w ({_WHAT}, began) USING ({_WHAT})
        WHERE since > began ORDER BY {_WHAT}, id DESC
    ) latest WHERE r.id = latest.id
    RETURNING since, at, times, {_WHAT}"""
_ADD = f"""INSERT INTO refusals ({_COLUMNS})
    SELECT {_COLUMNS} FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[],
        {", ".join(["%s::text[]"] * (len(_TEXTS) + 2))}) WITH ORDINALITY AS n ({_COLUMNS}, place)
    ORDER BY place"""
_LIMIT = """DELETE FROM refusals
    WHERE id <= (SELECT id FROM refusals ORDER BY id DESC LIMIT 1 OFFSET %s)"""

_What = tuple[str, ...]


async def note(connection: Connection, refusals: Sequence[Refusal]) -> None:
    """Add them to the log, each to the row that says the same if there is one."""
    if not refusals:
        return
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    first: dict[_What, Refusal] = {}
    for refusal in refusals:
        first.setdefault(_what(refusal), refusal)
    began = [microseconds(one.since - REFUSALS_ADDED_UP) for one in first.values()]
    columns = [[storable(text) for text in column] for column in zip(*first, strict=True)]
    found = await connection.execute(_KNOWN, (*columns, began))
    rows = [_refusal(row) async for row in found]
    added = _added_up(rows, refusals)
    values = zip(*map(_row, added), strict=True)
    await connection.execute(_ADD, tuple(map(list, values)))
    await connection.execute(_LIMIT, (MOST_REFUSALS,))


def _added_up(known: Sequence[Refusal], more: Sequence[Refusal]) -> list[Refusal]:
    """The rows to be written, in the order in which they were counted up last."""
    latest = {_what(one): one for one in known}
    finished: list[Refusal] = []
    for one in more:
        what = _what(one)
        row = latest.pop(what, None)
        if row is not None and row.since > one.since - REFUSALS_ADDED_UP:
            one = replace(one, since=min(one.since, row.since), times=one.times + row.times)
        elif row is not None:
            finished.append(row)
        latest[what] = one
    return [*finished, *latest.values()]


def _what(refusal: Refusal) -> _What:
    return tuple(getattr(refusal, name) for name in _TEXTS)


def _row(refusal: Refusal) -> tuple[Any, ...]:
    times = microseconds(refusal.since), microseconds(refusal.at), refusal.times
    keys = _kept_key(refusal.sender), _kept_key(refusal.recipient)
    return (*times, *map(storable, _what(refusal)), *keys)


def _refusal(row: Sequence[Any]) -> Refusal:
    since, at, times, *what = row
    texts = dict(zip(_TEXTS, map(restored, what), strict=True))
    return Refusal(since=moment(since), at=moment(at), times=times, **texts)


async def log(connection: Connection, wanted: RefusalFilter) -> list[RefusalRow]:
    after: Conditions = [] if wanted.after_id is None else [("id > %s", (wanted.after_id,))]
    where, values = joined(
        [
            *equal("client", wanted.client),
            *_same_address("sender_key", wanted.sender),
            *_same_address("recipient_key", wanted.recipient),
            *containing("reply", wanted.reply),
            *moment_is("at >= %s", wanted.since),
            *moment_is("since < %s", wanted.until),
            *after,
        ]
    )
    order = "at DESC, id DESC" if wanted.after_id is None else "id ASC"
    found = await connection.execute(
        f"""SELECT id, since, at, times, {_WHAT} FROM refusals
            WHERE {where} ORDER BY {order} LIMIT %s""",
        (*values, wanted.limit),
    )
    return [RefusalRow(row[0], _refusal(row[1:])) async for row in found]


async def prune(connection: Connection, before: datetime) -> None:
    """Forget those of before `before`: there are never many."""
    await connection.execute("DELETE FROM refusals WHERE at < %s", (microseconds(before),))


_NULL = "<>"


def _kept_key(text: str) -> str:
    """Where no sender was given yet, there is none to compare; the null sender is one."""
    return text if text in ("", _NULL) else key_of(text)


def _same_address(column: str, wanted: str | None) -> Conditions:
    if wanted is not None and not key_of(wanted):
        return equal(column, _NULL)
    return sender_is(wanted, column)
