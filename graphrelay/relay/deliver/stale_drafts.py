"""Deletes drafts that no message uses any more.

A message may be given up, or deleted by an administrator, while its draft is in the mailbox, where
somebody could send it by mistake; and a message that was divided, or started again, may leave a
draft that could not be deleted at that time. The spool keeps a list of such drafts; they are looked
up every few minutes, and deleted. One that turns out to have been sent is kept: it is the copy in
Sent Items.
"""

from datetime import timedelta

from graphrelay.clock import Clock
from graphrelay.graph import drafts
from graphrelay.graph.drafts import Seen
from graphrelay.journal import Journal, events
from graphrelay.model import Delayed, Paused, StorageUnavailable
from graphrelay.relay.deliver.courier import Graph
from graphrelay.spool.changes import ForgetDraft
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import LeftDrafts
from graphrelay.spool.values import LeftBehind

EVERY = timedelta(minutes=5)


class StaleDrafts:
    """Runs every few minutes; has no state."""

    def __init__(self, spool: Spool, graph: Graph, clock: Clock, journal: Journal) -> None:
        self._spool = spool
        self._graph = graph
        self._clock = clock
        self._journal = journal

    async def run(self) -> None:
        """Never returns."""
        while True:
            try:
                await self.sweep()
            except (StorageUnavailable, OSError) as error:
                self._journal.write(events.DraftsNotSwept(reason=str(error)))
            except Exception as error:  # an error in the relay, which must not stop the mail
                self._journal.write(events.DraftsBroke(reason=repr(error)))
            await self._clock.sleep(EVERY)

    async def sweep(self) -> None:
        """Delete all that can be deleted, once."""
        for left in await self._spool.read(LeftDrafts()):
            found = await self._delete(left)
            if found:
                await self._spool.change(ForgetDraft(left.submission_id, left.draft))
                self._journal.write(events.DraftSwept(left.queue_id, found))

    async def _delete(self, left: LeftBehind) -> str | None:
        """What happened to it; `None` if it must be tried again."""
        session = await self._graph.session(left.lane)
        if isinstance(session, Paused | Delayed):
            return None
        seen = await drafts.look_at(session, left.draft)
        if not isinstance(seen, Seen):
            return None
        if not seen.copies:
            return "it was gone already"
        if not seen.copies[0].is_draft:
            return "it had been sent, and stays in Sent Items"
        return "it was deleted" if await drafts.delete(session, left.draft) else None
