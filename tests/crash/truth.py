"""What may be on the disk after a crash, and what is.

Each thing that was started may have happened; each that was acknowledged has; each that was
refused has not. From that follows for each submission the set of states in which it may be found.

One refusal does not prove that nothing happened: that of a commit whose sync failed. Its pages may
be complete in the write-ahead log and come back at the next start, until the next commit overwrites
them (docs/spool.md).
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphrelay.journal import Entry, Journal
from graphrelay.model import InlineBody
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import HistoryOf, InFlight
from graphrelay.spool.sqlite import SqliteSpool
from tests.clock import FakeClock
from tests.crash.work import INLINE_LIMIT, octets_of
from tests.spool.mail import waiting_in

ABSENT = "absent"
WAITS = {"queued", "queued apart", "queued elsewhere"}
"""Apart: split off by a division. Elsewhere: moved to another account."""
OPEN = {*WAITS, "held", "in flight"}


@dataclass
class Promises:
    """Made from the reports of a worker."""

    allowed: dict[str, set[str]] = field(default_factory=dict)
    ended: bool = False
    steps: int = 0
    _doubtful: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def told(cls, lines: list[str]) -> "Promises":
        promises = cls()
        for line in lines:
            promises._hear(json.loads(line))
        return promises

    def _hear(self, told: dict[str, Any]) -> None:
        if told["what"] == "end":
            self.ended, self.steps = True, int(told["steps"])
        if "name" not in told:
            return
        states = self.allowed.setdefault(told["name"], {ABSENT})
        target = told["target"]
        match told["what"]:
            case "start":
                states.add(target)
            case "done":
                self.allowed[told["name"]] = {target}
                for name, refused in self._doubtful:
                    self._refuse(name, refused)
                self._doubtful.clear()
            case "refused" if told["doubtful"]:
                self._doubtful.append((told["name"], target))
            case "refused":
                self._refuse(told["name"], target)

    def _refuse(self, name: str, target: str) -> None:
        if len(self.allowed[name]) > 1:
            self.allowed[name].discard(target)


async def check(directory: Path, promises: Promises) -> list[Entry]:
    """Opens the spool as a restart would; returns what was written to the journal."""
    clock = FakeClock()
    entries: list[Entry] = []
    async with SqliteSpool.open(
        directory, clock, Journal(clock, entries.append), inline_limit=INLINE_LIMIT, reserve=0
    ) as spool:
        found = states(directory)
        for name, allowed in promises.allowed.items():
            assert found.get(name, (ABSENT, 0))[0] in allowed, (name, found.get(name), allowed)
        assert set(found) <= set(promises.allowed)
        waiting = set(await waiting_in(spool))
        assert waiting == {row for state, row in found.values() if state in WAITS}
        in_flight = {crashed.submission_id for crashed in await spool.read(InFlight())}
        assert in_flight == {row for state, row in found.values() if state == "in flight"}
        for state, row in found.values():
            if state in OPEN:
                await _whole(spool, row, state)
        _nothing_else(directory)
    with closing(sqlite3.connect(directory / "spool.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    return entries


def states(directory: Path) -> dict[str, tuple[str, int]]:
    with closing(sqlite3.connect(directory / "spool.db")) as connection:
        rows = connection.execute(
            """SELECT r.address_key, s.id,
                      CASE WHEN f.number IS NOT NULL THEN 'in flight'
                           WHEN s.state = 'queued' AND s.account = 'other' THEN 'queued elsewhere'
                           WHEN s.state = 'queued' AND s.part > 1 AND EXISTS
                               (SELECT 1 FROM log WHERE submission = s.id AND what = 'divided')
                               THEN 'queued apart'
                           ELSE s.state END
               FROM submissions s JOIN recipients r ON r.submission = s.id
               LEFT JOIN in_flight f ON f.submission = s.id
               UNION ALL SELECT json_extract(progress, '$.id'), submission,
                                json_extract(progress, '$.attached') || '' FROM drafts
               UNION ALL SELECT draft, submission, 'left' FROM left_drafts"""
        ).fetchall()
    assert len({key for key, _, _ in rows}) == len(rows), "a recipient stands in two places"
    return {key.removesuffix("@example.org"): (state, row) for key, row, state in rows}


async def _whole(spool: Spool, row: int, state: str) -> None:
    submission = await spool.load(row)
    assert (submission.plan.lane.account == "other") == (state == "queued elsewhere")
    shown = await spool.read(HistoryOf(submission.queue_id))
    assert shown is not None
    name, _, size = shown.subject.rpartition(" ")
    body = submission.body
    assert isinstance(body, InlineBody) == (int(size) <= INLINE_LIMIT)
    octets = body.read(0, body.size)
    assert octets == octets_of(name, int(size))


def _nothing_else(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "spool.db")) as connection:
        files = {file for (file,) in connection.execute("SELECT file FROM bodies") if file}
        (orphans,) = connection.execute(
            """SELECT count(*) FROM bodies WHERE message NOT IN
               (SELECT message FROM submissions WHERE done_at IS NULL)"""
        ).fetchone()
    assert orphans == 0
    assert {path.name for path in (directory / "bodies").iterdir()} == files
    names = {path.name for path in directory.iterdir()}
    assert names <= {"spool.db", "spool.db-wal", "spool.db-shm", "lock", "bodies"}, names
