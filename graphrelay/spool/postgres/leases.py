"""Which lanes this relay may send from: leased, each to one relay at a time.

    relays: a row for each process, renewed while it lives        lanes: owner, term
                     │                                               ▲
                     └── its owner has no row any more: free ────────┘

A relay renews its row four times in a lease. One whose row has expired is taken out by any other at
that moment, and its lanes are free; its sessions are ended, since a relay that stands still may
keep locks for as long as it does. The term of a lane grows with each new owner, and every write of
an attempt names it: so a relay that was frozen and comes back can change nothing. Expiry is decided
by the database's clock; what this relay believes of itself, by its own monotonic clock from the
moment before it asked. Wall clocks of hosts have no part in it.

Each lane has a preferred relay among those that live (rendezvous hashing: the highest hash of
relay and lane). A free lane is taken by the preferred one; who holds a lane that prefers another
lets go of it as soon as no request is in flight there.

After the database was away all rows may have expired. So a relay takes no other for dead before it
has itself reached the database for the length of a lease without a gap.
"""

# ruff: noqa: S608 (our own words; values are bound)

import asyncio
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import psycopg

from graphrelay import __version__
from graphrelay.clock import Clock
from graphrelay.journal import Journal, events
from graphrelay.model import Lane
from graphrelay.spool.codec import MICROSECOND
from graphrelay.spool.contract import LaneWatcher
from graphrelay.spool.postgres.connections import NAME_LENGTH, Connection, Connections
from graphrelay.spool.postgres.database_clock import NOW, DatabaseClock
from graphrelay.spool.postgres.errors import translated
from graphrelay.spool.postgres.lane_notes import OwnNotes
from graphrelay.spool.postgres.text import restored, storable

CHANNEL = "graphrelay"
LEASE = timedelta(seconds=8)
RENEWALS = 4
"""In the length of a lease."""
SLOTS = 16
_LOCK = 0x67726170687265
"""Of the advisory lock under which a relay joins."""


@dataclass(slots=True)
class _Held:
    term: int
    probes: int = 0
    """How many had been asked for when this was last looked at."""
    leaving: bool = False


class Leases:
    """Owns this relay's row and what it holds. Lives in one event loop."""

    def __init__(
        self,
        connections: Connections,
        clock: Clock,
        database_clock: DatabaseClock,
        journal: Journal,
        host: str,
        process: str,
        lease: timedelta = LEASE,
    ) -> None:
        self._connections = connections
        self._clock = clock
        self._database_clock = database_clock
        self._journal = journal
        self._host = host
        self._process = process
        self._lease = lease
        self._held: dict[Lane, _Held] = {}
        self._notes = OwnNotes(database_clock)
        self._watcher: LaneWatcher | None = None
        self._until = clock.monotonic()
        self._steady_since: timedelta | None = None
        self._away = False
        self._retiring = False
        self._again = asyncio.Event()
        self._look_in: timedelta | None = None
        """When the next look is due, if before the next renewal."""
        self._looking = asyncio.Lock()
        self._joined = 0
        self.relay = ""
        """The name under which this process is known; empty where it sends nothing."""
        self.slot = 0

    # For the spool ----------------------------------------------------------------------------

    def watch(self, watcher: LaneWatcher) -> None:
        self._watcher = watcher

    def alive(self) -> bool:
        """Whether no other relay can have taken this one for dead."""
        return self._clock.monotonic() < self._until

    def holds(self, lane: Lane) -> bool:
        """Whether mail of the lane may be begun here."""
        held = self._held.get(lane)
        return held is not None and not held.leaving and self.alive()

    def term(self, lane: Lane) -> int:
        """Of the lease; 0 where there is none. A lane that is being left has one until it is."""
        held = self._held.get(lane)
        return held.term if held else 0

    def lanes(self) -> list[Lane]:
        return [lane for lane in self._held if self.holds(lane)]

    def terms(self) -> dict[Lane, int]:
        return {lane: held.term for lane, held in self._held.items()}

    def made(self, lanes: Iterable[Lane]) -> None:
        """Lanes that nobody knew were made for this relay, which is committed."""
        for lane in lanes:
            self._held.setdefault(lane, _Held(1))

    def look_soon(self) -> None:
        """Something about relays or lanes has changed."""
        self._again.set()

    # Life -------------------------------------------------------------------------------------

    async def join(self) -> None:
        """Be one of the relays. Raises `psycopg.Error`."""
        self._joined += 1
        relay, asked_at = f"{self._process}.{self._joined}", self._clock.monotonic()
        async with self._connections.one() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            taken = await connection.execute("SELECT slot FROM relays")
            slots = {slot async for (slot,) in taken}
            free = [slot for slot in range(SLOTS) if slot not in slots]
            slot = free[0] if free else int(relay[:8], 16) % SLOTS
            await connection.execute(
                _JOIN, (relay, self._host, __version__, slot, self._microseconds())
            )
            await self._notify(connection)
        self.relay, self.slot, self._until = relay, slot, asked_at + self._lease

    async def run(self) -> None:
        """Never returns: renews, takes and leaves lanes."""
        while True:
            self._again.clear()  # what changes during the round is looked at in the next one
            await self._round_if_possible()
            await self._pause()

    async def _pause(self) -> None:
        wait = self._lease / RENEWALS
        if any(held.leaving for held in self._held.values()):
            wait = min(wait, _SOON)
        if self._look_in is not None:
            wait = min(wait, self._look_in)
        sleep = asyncio.ensure_future(self._clock.sleep(wait))
        again = asyncio.ensure_future(self._again.wait())
        try:
            await asyncio.wait((sleep, again), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            again.cancel()

    async def _round_if_possible(self) -> None:
        try:
            await self.round()
        except psycopg.Error as error:
            if self._steady_since is not None:
                self._journal.write(events.SpoolAway(reason=str(translated(error, "be reached"))))
            self._steady_since = None
            self._away = True
        else:
            if self._away:
                self._journal.write(events.SpoolBack())
            self._away = False

    async def round(self) -> None:
        """Renew, and look at every lane once. Raises `psycopg.Error`."""
        async with self._looking:
            await self._round()

    async def _round(self) -> None:
        asked_at = self._clock.monotonic()
        async with self._connections.one() as connection:
            sent_at = self._clock.monotonic()
            found = await connection.execute(_RENEW, (self._microseconds(), self.relay))
            row = await found.fetchone()
            if row is None:
                await self._begin_anew()
                return
            stood_still = not self.alive()
            self._until = asked_at + self._lease
            self._database_clock.follow(row[0], sent_at)
            steady_since = self._steady_since
            if steady_since is None:
                steady_since = self._steady_since = asked_at
            steady = asked_at - steady_since >= self._lease
            if steady:
                await self._bury(connection)
            await self._look(connection)
            if self._watcher is not None:
                await self._notes.write(connection, self.relay, self._watcher.notes())
        if stood_still and self._watcher is not None:
            for lane in self.lanes():  # meanwhile nothing was begun
                self._watcher.changed(lane)

    async def _begin_anew(self) -> None:
        """Others took this relay for dead."""
        self._journal.write(events.RelayReplaced(lanes=len(self._held)))
        lost, self._held = self._held, {}
        for lane in lost:
            self._tell_lost(lane)
        await self.join()
        self.look_soon()

    async def _bury(self, connection: Connection) -> None:
        found = await connection.execute(_BURY)
        buried = await found.fetchall()
        for relay, host, version in buried:
            self._journal.write(events.RelayGone(host=host, version=version))
            await connection.execute(_END_SESSIONS, (relay.partition(".")[0],))
        if buried:
            await self._notify(connection)

    # Lanes ------------------------------------------------------------------------------------

    async def _look(self, connection: Connection) -> None:
        found = await connection.execute(_RELAYS)
        relays = await found.fetchall()
        living = [relay for relay, leaving, _ in relays if not leaving]
        expiries = [expires_in for relay, _, expires_in in relays if relay != self.relay]
        self._look_in = max(min(expiries) * MICROSECOND, _AT_ONCE) if expiries else None
        before = dict(self._held)
        found = await connection.execute(_LANES)
        wanted = list[Lane]()
        mine, probes = dict[Lane, int](), dict[Lane, int]()
        async for account, mailbox, owner, term, asked, free in found:
            lane = Lane(restored(account), restored(mailbox))
            if owner == self.relay:
                mine[lane], probes[lane] = term, asked
            elif free and preferred(lane, living) == self.relay:
                wanted.append(lane)
        self._compare(before, mine)
        self._tell_probes(probes)
        for lane, held in list(self._held.items()):
            self._decide(lane, held, leaving=preferred(lane, living) not in ("", self.relay))
        await self._leave(connection)
        if wanted and not self._retiring:
            await self._take(connection, wanted)

    def _compare(self, before: dict[Lane, _Held], mine: dict[Lane, int]) -> None:
        """What was held before, and what the database says is held: that counts."""
        for lane, held in before.items():
            if mine.get(lane) != held.term and self._held.get(lane) is held:
                del self._held[lane]
                self._tell_lost(lane)
        for lane in mine.keys() - self._held.keys():
            self._held[lane] = _Held(mine[lane])
            if self._watcher is not None:
                self._watcher.gained(lane)

    def _tell_probes(self, probes: dict[Lane, int]) -> None:
        for lane, asked in probes.items():
            held = self._held.get(lane)
            if held is not None and held.probes < asked:
                held.probes = asked
                if self._watcher is not None:
                    self._watcher.probe(lane)

    def _decide(self, lane: Lane, held: _Held, *, leaving: bool) -> None:
        was, held.leaving = held.leaving, self._retiring or leaving
        if self._watcher is not None and was != held.leaving:
            if held.leaving:
                self._watcher.lost(lane)
            else:
                self._watcher.gained(lane)

    async def _take(self, connection: Connection, wanted: Iterable[Lane]) -> None:
        wanted = set(wanted)
        keys = _keys(wanted)
        taken = await connection.execute(_TAKE, (self.relay, *keys))
        gained = list[Lane]()
        async for account, mailbox, term, probes in taken:
            lane = Lane(restored(account), restored(mailbox))
            self._held[lane] = _Held(term, probes)
            gained.append(lane)
        if wanted.difference(gained):
            self._look_in = _SOON  # they are locked, or another relay has them by now
        for lane in gained:
            if self._watcher is not None:
                self._watcher.gained(lane)

    async def _leave(self, connection: Connection) -> None:
        """Let go of lanes that are to be another's, where nothing is in flight."""
        leaving = [lane for lane, held in self._held.items() if held.leaving]
        if not leaving:
            return
        async with connection.transaction():
            # First the locks: a `begin` that is being committed is seen by the next statement.
            found = await connection.execute(_LOCK_LANES, (self.relay, *_keys(leaving)))
            locked = [Lane(restored(one), restored(other)) async for one, other in found]
            left = await connection.execute(_LEAVE, (self.relay, *_keys(locked)))
            rows = await left.fetchall()
            gone = [Lane(restored(account), restored(mailbox)) for account, mailbox in rows]
            await connection.execute(_UNREAD, (self._process, *_keys(gone)))
            if gone:
                await self._notify(connection)
        for lane in gone:
            self._held.pop(lane, None)

    def _tell_lost(self, lane: Lane) -> None:
        if self._watcher is not None:
            self._watcher.lost(lane)

    # Leaving ----------------------------------------------------------------------------------

    async def retire(self) -> None:
        """Lease nothing more, and leave each lane as soon as no request is in flight there."""
        self._retiring = True
        async with self._connections.one() as connection:
            await connection.execute(
                "UPDATE relays SET leaving = true WHERE id = %s", (self.relay,)
            )
            async with self._looking:
                for lane, held in list(self._held.items()):
                    self._decide(lane, held, leaving=True)
                await self._leave(connection)
        self.look_soon()

    async def ask_for_probes(self, connection: Connection, lanes: Iterable[Lane]) -> None:
        """Have the owners of these lanes try their mail at once. Raises `psycopg.Error`."""
        others = [lane for lane in lanes if not self.holds(lane)]
        if others:
            await connection.execute(_ASK_FOR_PROBES, _keys(others))
            await self._notify(connection)

    async def end(self) -> None:
        """Leave at once. What is still in flight is for the next owners. Raises `psycopg.Error`."""
        async with self._connections.one() as connection, connection.transaction():
            await connection.execute(_END_LANES, (self.relay,))
            await connection.execute("DELETE FROM lane_notes WHERE relay = %s", (self.relay,))
            await connection.execute("DELETE FROM relays WHERE id = %s", (self.relay,))
            await self._notify(connection)

    async def _notify(self, connection: Connection) -> None:
        await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, json.dumps({"lanes": True})))

    def _microseconds(self) -> int:
        return self._lease // timedelta(microseconds=1)


def preferred(lane: Lane, relays: Iterable[str]) -> str:
    """Which of the relays a lane is best leased to; empty where there are none."""
    name = f"{lane.account}\0{lane.mailbox}".encode("utf-8", "surrogatepass")

    def weight(relay: str) -> bytes:
        return hashlib.blake2b(name, key=relay.encode()[:64], digest_size=8).digest()

    return max(relays, key=weight, default="")


def _keys(lanes: Iterable[Lane]) -> tuple[list[str], list[str]]:
    every = sorted(lanes)
    return [storable(one.account) for one in every], [storable(one.mailbox) for one in every]


_SOON = timedelta(milliseconds=250)
"""How often is looked whether a lane that is being left has nothing in flight, and whether one that
is locked can be taken."""
_AT_ONCE = timedelta(milliseconds=10)
_NAMED = """(account, mailbox) IN
    (SELECT * FROM unnest(%s::text[], %s::text[]) AS w (account, mailbox))"""
_JOIN = f"""INSERT INTO relays (id, host, version, slot, started_at, expires_at)
    VALUES (%s, %s, %s, %s, {NOW}, {NOW} + %s)"""
_RENEW = f"UPDATE relays SET expires_at = {NOW} + %s WHERE id = %s RETURNING {NOW}"
_BURY = f"DELETE FROM relays WHERE expires_at < {NOW} RETURNING id, host, version"
_END_SESSIONS = f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND right(application_name, {NAME_LENGTH}) = %s"""
_RELAYS = f"""SELECT id, leaving, expires_at - {NOW} FROM relays
    WHERE expires_at >= {NOW} ORDER BY id"""
_LANES = """SELECT account, mailbox, owner, term, probes,
        owner IS NULL OR NOT EXISTS (SELECT FROM relays r WHERE r.id = owner)
    FROM lanes"""
# What is locked is skipped, and taken when the session that has locked it has ended.
_TAKE = f"""UPDATE lanes SET owner = %s, term = term + 1
    WHERE (account, mailbox) IN (
        SELECT account, mailbox FROM lanes l WHERE {_NAMED}
        AND (owner IS NULL OR NOT EXISTS (SELECT FROM relays r WHERE r.id = l.owner))
        FOR UPDATE SKIP LOCKED)
    RETURNING account, mailbox, term, probes"""
_ASK_FOR_PROBES = f"UPDATE lanes SET probes = probes + 1 WHERE {_NAMED}"
_LOCK_LANES = f"""SELECT account, mailbox FROM lanes WHERE owner = %s AND {_NAMED}
    FOR UPDATE SKIP LOCKED"""
# What was in flight under an earlier lease is for the next owner to settle.
_LEAVE = f"""UPDATE lanes l SET owner = NULL
    WHERE owner = %s AND {_NAMED}
      AND NOT EXISTS (SELECT FROM in_flight f JOIN submissions s ON s.id = f.submission
                      WHERE s.account = l.account AND s.mailbox = l.mailbox AND f.term = l.term)
    RETURNING account, mailbox"""
_END_LANES = "UPDATE lanes SET owner = NULL WHERE owner = %s"
_UNREAD = f"""DELETE FROM readings WHERE process = %s AND submission IN
    (SELECT id FROM submissions WHERE state = 'queued' AND {_NAMED})"""
