"""What each relay says about its lanes, for people who ask another one.

A note is written with the renewal of the lease, if it has changed since; so it is up to a quarter
of a lease old. Only that of the relay that has the lane is read.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from graphrelay.model import Lane
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.database_clock import DatabaseClock
from graphrelay.spool.postgres.text import restored, storable
from graphrelay.spool.values import LaneNote

_PUT = """INSERT INTO lane_notes (account, mailbox, relay, note, wakes_at)
    SELECT account, mailbox, %s, note, wakes_at
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[])
        AS n (account, mailbox, note, wakes_at)
    ON CONFLICT (account, mailbox, relay)
    DO UPDATE SET note = excluded.note, wakes_at = excluded.wakes_at"""
_FORGET = """DELETE FROM lane_notes WHERE relay = %s AND (account, mailbox) IN
    (SELECT * FROM unnest(%s::text[], %s::text[]))"""
_READ = """SELECT n.account, n.mailbox, n.note, n.wakes_at, r.host
    FROM lane_notes n JOIN lanes l USING (account, mailbox) JOIN relays r ON r.id = l.owner
    WHERE n.relay = l.owner AND n.relay <> %s ORDER BY 1, 2"""


class OwnNotes:
    """Knows what this relay has written."""

    def __init__(self, clock: DatabaseClock) -> None:
        self._clock = clock
        self._relay = ""
        self._written: dict[Lane, tuple[str, datetime | None]] = {}

    async def write(self, connection: Connection, relay: str, notes: Iterable[LaneNote]) -> None:
        """Raises `psycopg.Error`; then it is written the next time."""
        if relay != self._relay:
            self._relay, self._written = relay, {}
        now = {note.lane: (note.text, _second(note.wakes_at)) for note in notes}
        changed = sorted(lane for lane in now if self._written.get(lane) != now[lane])
        gone = sorted(self._written.keys() - now.keys())
        if changed:
            texts, wakes = zip(*(now[lane] for lane in changed), strict=True)
            theirs = [None if at is None else self._clock.theirs(at) for at in wakes]
            await connection.execute(_PUT, (relay, *_keys(changed), list(texts), theirs))
        if gone:
            await connection.execute(_FORGET, (relay, *_keys(gone)))
        self._written = now


def _second(moment: datetime | None) -> datetime | None:
    """Two readings of the clock give the same moment a little differently."""
    if moment is None:
        return None
    return (moment + timedelta(milliseconds=500)).replace(microsecond=0)


def _keys(lanes: Iterable[Lane]) -> tuple[list[str], list[str]]:
    every = list(lanes)
    return [storable(one.account) for one in every], [storable(one.mailbox) for one in every]


async def of_others(connection: Connection, clock: DatabaseClock, relay: str) -> list[LaneNote]:
    found = await connection.execute(_READ, (relay,))
    return [
        LaneNote(
            lane=Lane(restored(account), restored(mailbox)),
            text=note,
            wakes_at=None if wakes_at is None else clock.ours(wakes_at),
            host=host,
        )
        async for account, mailbox, note, wakes_at, host in found
    ]
