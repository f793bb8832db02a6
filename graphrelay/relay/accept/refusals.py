"""The mail log's record of what clients were refused: `graphrelay log --refused`.

    journal ── Refused ──▶ hear() ── counted in memory ──▶ run() ──▶ spool.note_refusals()

It hears the journal's events, the repetitions too that are not worth a line there. What is the same
is counted, and written once in `PAUSE`. Nothing that a client does makes it keep more than `MOST`
rows in between, or more than `MOST_OF_A_CLIENT` of one client: what is beyond that is counted
without its details. The spool keeps no more than a number of rows either, so that refusals cannot
fill the disk.
"""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from graphrelay.clock import Clock
from graphrelay.journal import Entry, Journal, events
from graphrelay.model import StorageUnavailable, one_line
from graphrelay.spool.contract import Spool
from graphrelay.spool.values import Refusal

PAUSE = timedelta(seconds=2)
MOST = 500
MOST_OF_A_CLIENT = 50
LONGEST = 254
"""Characters of a text, as of an address."""
OTHERS = "and others"
"""The reason of what is counted without its details."""
SEVERAL = "several"
"""The client of what is counted without it."""
_NEVER = datetime.min.replace(tzinfo=UTC)


class RefusalLog:
    """Owns what has been refused and is not written yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counted: dict[Refusal, Refusal] = {}
        """By the same without its times."""
        self._of_client: Counter[str] = Counter()
        self._something = asyncio.Event()
        self._failing = False

    def hear(self, entry: Entry) -> None:
        """A sink of the journal."""
        match entry.what:
            case events.Refused() as event:
                self._count(_refusal(event, entry.at))
            case events.DropRefused() as event:
                self._count(_of_drop(event, entry.at))

    async def run(self, spool: Spool, journal: Journal) -> None:
        """Write what was refused; never returns."""
        while True:
            await self._something.wait()
            await self._clock.sleep(PAUSE)
            await self.flush(spool, journal)

    async def flush(self, spool: Spool, journal: Journal) -> None:
        """Write what was refused until now. Where the spool cannot, it is kept for the next time;
        the journal says so once."""
        counted, self._counted = self._counted, {}
        self._of_client.clear()
        self._something.clear()
        if not counted:
            return
        try:
            await spool.note_refusals(list(counted.values()))
        except StorageUnavailable as error:
            if not self._failing:
                journal.write(events.RefusalsNotKept(reason=str(error)))
            self._failing = True
            for refusal in counted.values():
                self._count(refusal)
        else:
            self._failing = False

    def _count(self, refusal: Refusal) -> None:
        key = _bare(refusal)
        if key not in self._counted:
            refusal = self._shortened(refusal)
            key = _bare(refusal)
        before = self._counted.get(key)
        if before is None:
            self._of_client[refusal.client] += 1
            self._counted[key] = refusal
        else:
            times = before.times + refusal.times
            self._counted[key] = replace(before, at=refusal.at, times=times)
        self._something.set()

    def _shortened(self, refusal: Refusal) -> Refusal:
        """Without its details, where there is no room for another row."""
        if len(self._counted) >= MOST:
            return _without_details(replace(refusal, client=SEVERAL))
        if self._of_client[refusal.client] >= MOST_OF_A_CLIENT:
            return _without_details(refusal)
        return refusal


def _without_details(refusal: Refusal) -> Refusal:
    return replace(refusal, reply="", reason=OTHERS, login="", sender="", recipient="")


def _bare(refusal: Refusal) -> Refusal:
    return replace(refusal, since=_NEVER, at=_NEVER, times=0)


def _refusal(event: events.Refused, at: datetime) -> Refusal:
    return Refusal(
        since=at,
        at=at,
        times=1,
        client=event.origin.client,
        listener=event.origin.listener,
        stage=event.stage,
        reply=one_line(event.reply, LONGEST),
        reason=one_line(event.reason or "", LONGEST),
        login=one_line(event.login or event.origin.login or "", LONGEST),
        sender=one_line(event.sender or "", LONGEST),
        recipient=one_line(event.recipient or "", LONGEST),
    )


def _of_drop(event: events.DropRefused, at: datetime) -> Refusal:
    return Refusal(
        since=at,
        at=at,
        times=1,
        client=one_line(f"unix:{event.user or ''}", LONGEST),
        listener="drop",
        stage="DROP",
        reply="",
        reason=one_line(f"{event.reason}; kept as {event.kept}", LONGEST),
    )
