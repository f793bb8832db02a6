"""How large a MIME request each lane tries. The documented limit is 4 MB; larger ones have been
seen to be accepted.

    max_mime_request = "4 MB"     that, whatever Graph says
    max_mime_request = "auto"     an account that may send large messages another way tries MIME
                                  up to the largest message; what Graph refused is remembered for
                                  a day, what `graphrelay doctor` found for 30 days; any other
                                  account stays at what is documented

After a refusal, the lane tries at most the documented size, or the largest that Graph has accepted
from it since the relay started. This is stored in a file, so that the next process does not have to
learn it again; of several relays with one queue, each learns by itself. Whether
drafts in MIME keep the files that are added to them is learned here too.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from graphrelay.clock import Clock
from graphrelay.files import sync_directory, write_beside
from graphrelay.graph.base64stream import REQUEST
from graphrelay.journal import Journal, events
from graphrelay.model import Lane

REMEMBERED = timedelta(days=1)
MEASURED = timedelta(days=30)
"""For what `graphrelay doctor` found by trying."""
FILE = "request-limits.json"


@dataclass(frozen=True, slots=True)
class Learned:
    """The limit of a lane after Graph refused a larger request."""

    most: int
    """In octets of base64."""
    until: datetime


class RequestLimits:
    """Owns the learned limits, and their file."""

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        *,
        fixed: int | None = REQUEST,
        largest: int = REQUEST,
        directory: Path | None = None,
    ) -> None:
        """`fixed`: the limit of every lane; `None` is "auto", which tries up to `largest`, both in
        octets of base64. Without a `directory`, nothing is stored."""
        self._clock = clock
        self._journal = journal
        self._fixed = fixed
        self._largest = largest
        self._path = directory / FILE if directory else None
        self._taken: dict[Lane, int] = {}
        self._files_lost: dict[Lane, datetime] = {}
        self._learned = self._read() if fixed is None else {}

    @property
    def request(self) -> int:
        """The limit in octets of any other request: JSON, an attachment, a chunk of an upload."""
        return REQUEST if self._fixed is None else self._fixed

    def mime(self, lane: Lane, *, large_messages: bool) -> int:
        """The limit in octets of base64 of a message as MIME."""
        if self._fixed is not None:
            return self._fixed
        if not large_messages:
            return REQUEST
        learned = self.learned(lane)
        return learned.most if learned else self._largest

    def learned(self, lane: Lane) -> Learned | None:
        """What the lane has learned within the last day."""
        return self.all_learned().get(lane)

    def all_learned(self) -> dict[Lane, Learned]:
        """What all lanes have learned within the last day."""
        now = self._clock.now()
        return {lane: one for lane, one in self._learned.items() if one.until > now}

    def taken(self, lane: Lane, size: int) -> None:
        """Graph accepted this many octets of base64."""
        if size > REQUEST and self._fixed is None:
            self._taken[lane] = max(size, self._taken.get(lane, 0))

    async def refused(self, lane: Lane, size: int) -> None:
        """Graph refused this many octets of base64, or did not say that it accepted them."""
        if self._fixed is not None or size <= REQUEST:
            return
        taken = self._taken.get(lane, 0)
        most = taken if REQUEST < taken < size else REQUEST
        self._journal.write(events.RequestLimitLearned(lane, size, most))
        await self._learn(lane, Learned(most, self._clock.now() + REMEMBERED))

    async def measured(self, lane: Lane, taken: int, refused: int) -> str:
        """A size ladder found how many octets of base64 Graph takes, and which number it does not
        (0: all were taken). What that changes, in words."""
        if self._fixed is not None:
            return f"max_mime_request = {self._fixed:,} decides"
        if not taken:
            return "nothing is remembered"
        if not refused:
            if self.learned(lane):
                await self._learn(lane, None)
            return f"auto tries up to {self._largest:,} octets"
        most = REQUEST if taken < REQUEST < refused else taken
        await self._learn(lane, Learned(most, self._clock.now() + MEASURED))
        return f"auto uses {most:,} octets for {MEASURED.days} days"

    async def _learn(self, lane: Lane, learned: Learned | None) -> None:
        others = {known: one for known, one in self.all_learned().items() if known != lane}
        self._learned = others | ({lane: learned} if learned else {})
        try:
            await asyncio.to_thread(self._write, dict(self._learned))
        except OSError as error:
            self._journal.write(events.RequestLimitNotKept(str(error)))

    def mime_drafts(self, lane: Lane) -> bool:
        """Whether files may be added to a draft in MIME."""
        lost = self._files_lost.get(lane)
        return lost is None or lost + REMEMBERED <= self._clock.now()

    def files_lost(self, lane: Lane) -> None:
        """Exchange would have sent such a draft without them. That is remembered for a day by this
        process; the next one tries once more."""
        self._files_lost[lane] = self._clock.now()

    def _write(self, learned: dict[Lane, Learned]) -> None:
        if self._path is None:
            return
        shown = [
            [lane.account, lane.mailbox, one.most, one.until.isoformat()]
            for lane, one in learned.items()
        ]
        draft = write_beside(self._path, json.dumps(shown).encode(), lambda descriptor: None)
        draft.replace(self._path)
        sync_directory(self._path.parent)

    def _read(self) -> dict[Lane, Learned]:
        """What cannot be read is learned again."""
        try:
            octets = self._path.read_bytes() if self._path else b"[]"
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._journal.write(events.RequestLimitNotKept(str(error)))
            return {}
        try:
            return {
                Lane(str(account), str(mailbox)): Learned(int(most), datetime.fromisoformat(until))
                for account, mailbox, most, until in json.loads(octets)
            }
        except (ValueError, TypeError) as error:
            self._journal.write(events.RequestLimitNotKept(f"{self._path}: {error!r}"))
            return {}
