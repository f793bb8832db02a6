"""How large a MIME request each lane tries: documented are 4 MB, and more was seen to be taken.

    max_mime_request = "4 MB"     that, whatever Graph says
    max_mime_request = "auto"     an account that may send large messages another way tries MIME
                                  up to the largest message; what Graph refused is remembered for
                                  a day; any other account stays at what is documented

After a refusal the lane tries no more than what is documented, or than what Graph took of it since
the relay started. It is kept in a file, so that the next process does not learn it anew; several
relays with one queue learn each for itself. Whether drafts in MIME keep files that are added to
them is learned here too.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from graphrelay.clock import Clock
from graphrelay.files import sync_directory, write_beside
from graphrelay.journal import Journal, events
from graphrelay.model import Lane
from graphrelay.relay.outgoing.method import REQUEST

REMEMBERED = timedelta(days=1)
FILE = "request-limits.json"


@dataclass(frozen=True, slots=True)
class Learned:
    """What a lane tries after Graph refused more."""

    most: int
    """Octets of the base64."""
    until: datetime


class RequestLimits:
    """Owns what was learned, and its file."""

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        *,
        fixed: int | None = REQUEST,
        largest: int = REQUEST,
        directory: Path | None = None,
    ) -> None:
        """`fixed`: the limit of every lane; `None` is "auto", with `largest` as the most that is
        tried, both octets of the base64. Nothing is kept without a `directory`."""
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
        """Octets of any other request: JSON, an attachment, a piece of an upload."""
        return REQUEST if self._fixed is None else self._fixed

    def mime(self, lane: Lane, *, large_messages: bool) -> int:
        """Octets of the base64 of the largest message that goes as MIME."""
        if self._fixed is not None:
            return self._fixed
        if not large_messages:
            return REQUEST
        learned = self.learned(lane)
        return learned.most if learned else self._largest

    def learned(self, lane: Lane) -> Learned | None:
        """What Graph made the lane learn within a day."""
        return self.all_learned().get(lane)

    def all_learned(self) -> dict[Lane, Learned]:
        """What Graph made any lane learn within a day."""
        now = self._clock.now()
        return {lane: one for lane, one in self._learned.items() if one.until > now}

    def taken(self, lane: Lane, size: int) -> None:
        """Graph took so many octets of base64."""
        if size > REQUEST and self._fixed is None:
            self._taken[lane] = max(size, self._taken.get(lane, 0))

    async def refused(self, lane: Lane, size: int) -> None:
        """Graph refused so many octets of base64, or did not say that it took them."""
        if self._fixed is not None or size <= REQUEST:
            return
        taken = self._taken.get(lane, 0)
        most = taken if REQUEST < taken < size else REQUEST
        learned = Learned(most, self._clock.now() + REMEMBERED)
        self._learned = self.all_learned() | {lane: learned}
        self._journal.write(events.RequestLimitLearned(lane, size, most))
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
        """What cannot be read is learned anew."""
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
