"""What is due in a lane, whose turn it is, and which lanes there are.

The index `submissions_turns` has the queue in the order of its turns. From it the logins are found
one by one, each with a seek, of each its clients, of each their senders, and of each sender its
oldest messages that are due: so the cost depends on how many are asked for, not on how many wait.
"""

# ruff: noqa: S608 (our own words; values are bound)

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from graphrelay.model import Lane, QueueEntry
from graphrelay.spool.codec import MICROSECOND, moment
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.database_clock import DatabaseClock
from graphrelay.spool.postgres.text import restored, storable
from graphrelay.spool.values import Backlog, Batch, Take, Turns

_LEVELS = "login", "client", "sender_key"
_LATER = "s.not_before > %(now)s AND s.not_before <= %(far)s"
_DUE = f"""s.state = 'queued' AND s.account = %(account)s AND s.mailbox = %(mailbox)s
    AND (s.size >= 1048576) = (SELECT %(large)s) AND NOT ({_LATER})
    AND s.id <> ALL(%(besides)s::bigint[])
    AND NOT EXISTS (SELECT FROM in_flight f WHERE f.submission = s.id)"""
"""The value in `(SELECT …)` is unknown to the planner, which would otherwise turn the comparison
with false into `size < 1048576`. The index does not have that."""
_OLDEST = f"""SELECT s.id, s.received_at, s.not_before, s.size,
        EXISTS (SELECT FROM readings r WHERE r.submission = s.id)
    FROM submissions s WHERE {_DUE} AND s.login = %(login)s AND s.client = %(client)s
        AND s.sender_key = %(sender_key)s
    ORDER BY s.received_at, s.id LIMIT %(limit)s"""


def _names(level: int, *, after: bool, until: bool) -> str:
    """Who has something due, below the names of the levels above, each once and found with a seek;
    within the bounds that are there. A plan that is kept for any values has only bounds that stand
    alone, and no `%(after)s IS NULL OR …`."""
    column = f"s.{_LEVELS[level]}"
    above = "".join(f" AND s.{one} = %({one})s" for one in _LEVELS[:level])
    last = f" AND {column} <= %(until)s" if until else ""

    def first(bound: str) -> str:
        return f"""SELECT {column} FROM submissions s WHERE {_DUE}{above}{bound}{last}
            ORDER BY {column} LIMIT 1"""

    return f"""WITH RECURSIVE names (name, number) AS (
            SELECT ({first(f" AND {column} > %(after)s" if after else "")}), 1
            UNION ALL
            SELECT ({first(f" AND {column} > names.name")}), number + 1 FROM names
            WHERE name IS NOT NULL AND number < %(limit)s
        ) SELECT name FROM names WHERE name IS NOT NULL ORDER BY number"""


_NAMES = {
    (level, after, until): _names(level, after=after, until=until)
    for level in range(len(_LEVELS))
    for after, until in ((False, False), (True, False), (False, True))
}
_NEXT_DUE = f"""SELECT min(s.not_before) FROM submissions s
    WHERE s.state = 'queued' AND s.account = %(account)s AND s.mailbox = %(mailbox)s AND {_LATER}"""
_WITH_MAIL = """SELECT l.account, l.mailbox FROM lanes l
    WHERE l.owner = %s AND EXISTS (SELECT FROM submissions s WHERE s.state = 'queued'
                                   AND s.account = l.account AND s.mailbox = l.mailbox)"""


@dataclass(frozen=True, slots=True)
class TakeDue:
    """The batch that is asked for, at `now` by the database's clock."""

    wanted: Take
    clock: DatabaseClock
    now: int

    async def __call__(self, connection: Connection) -> Batch:
        small, more_small = await self._kind(connection, self.wanted.after_small, large=False)
        large, more_large = await self._kind(connection, self.wanted.after_large, large=True)
        more = more_small or more_large
        return Batch(
            entries=(*small, *large),
            more_small=more_small,
            more_large=more_large,
            next_in=None if more else await self._next_in(connection),
        )

    async def _kind(
        self, connection: Connection, after: Turns, *, large: bool
    ) -> tuple[list[QueueEntry], bool]:
        """Small or large messages, and whether there are more."""
        values = self._values() | {"large": large}
        return await self._below(connection, values, after, (), self.wanted.limit)

    async def _below(
        self,
        connection: Connection,
        values: dict[str, Any],
        after: Turns,
        path: tuple[str, ...],
        limit: int,
    ) -> tuple[list[QueueEntry], bool]:
        """What those below `path` have, an equal share of each."""
        values = values | dict(zip(_LEVELS, path, strict=False))
        if len(path) == len(_LEVELS):
            found = await connection.execute(_OLDEST, values | {"limit": limit + 1})
            rows = await found.fetchall()
            return [self._entry(path, row) for row in rows[:limit]], len(rows) > limit
        last = after.get(tuple(map(restored, path)))
        names = await self._next_names(connection, values, len(path), last, limit + 1)
        entries: list[QueueEntry] = []
        more = len(names) > limit
        for name in names[:limit]:
            share = max(1, limit // len(names))
            his, has_more = await self._below(connection, values, after, (*path, name), share)
            entries += his
            more = more or has_more
        return entries, more

    async def _next_names(
        self,
        connection: Connection,
        values: dict[str, Any],
        level: int,
        last: str | None,
        limit: int,
    ) -> list[str]:
        """Who has something due, each once: from the one after `last` on, and round."""
        start = None if last is None else storable(last)
        rounds = [(None, None)] if start is None else [(start, None), (None, start)]
        names: list[str] = []
        for after, until in rounds:
            if len(names) < limit:
                bounds = {"after": after, "until": until, "limit": limit - len(names)}
                sql = _NAMES[level, after is not None, until is not None]
                found = await connection.execute(sql, values | bounds)
                names += [name async for (name,) in found]
        return names

    async def _next_in(self, connection: Connection) -> timedelta | None:
        found = await connection.execute(_NEXT_DUE, self._values())
        row = await found.fetchone()
        return None if row is None or row[0] is None else (row[0] - self.now) * MICROSECOND

    def _values(self) -> dict[str, Any]:
        lane = self.wanted.lane
        return {
            "account": storable(lane.account),
            "mailbox": storable(lane.mailbox),
            "now": self.now,
            "far": self.now + self.wanted.longest_wait // MICROSECOND,
            "besides": sorted(self.wanted.besides),
        }

    def _entry(self, path: tuple[str, ...], row: tuple[Any, ...]) -> QueueEntry:
        submission, received_at, not_before, size, read = row
        login, client, sender = map(restored, path)
        times = moment(received_at), self.clock.ours(not_before)
        return QueueEntry(
            submission, self.wanted.lane, *times, sender, size, login, client, bool(read)
        )


async def lanes_with_mail(connection: Connection, relay: str) -> list[Lane]:
    """Of those leased to the relay."""
    found = await connection.execute(_WITH_MAIL, (relay,))
    return [Lane(restored(account), restored(mailbox)) async for account, mailbox in found]


async def backlogs(connection: Connection) -> list[Backlog]:
    found = await connection.execute(
        """SELECT account, mailbox, count(*), min(received_at) FROM submissions
           WHERE state = 'queued' GROUP BY account, mailbox"""
    )
    return [
        Backlog(Lane(restored(account), restored(mailbox)), waiting, moment(oldest))
        async for account, mailbox, waiting, oldest in found
    ]
