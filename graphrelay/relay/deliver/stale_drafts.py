"""Drafts that no message goes on with, taken away from the mailbox.

A message may be given up, or deleted by a person, while a part of it lies in Drafts, where somebody
could send it by mistake; and one that is divided, or begun anew, may leave a draft there that could
not be deleted just then. The spool remembers such drafts until they are gone; here they are looked
at now and then, and taken away. One that turns out to have been sent stays where it is: it is the
copy in Sent Items.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import uuid4

from graphrelay.clock import Clock
from graphrelay.graph import drafts
from graphrelay.graph.client import OWN_MAILBOX, mailbox_path
from graphrelay.graph.drafts import MayNotLook, Seen
from graphrelay.journal import Journal
from graphrelay.model import Delayed, Lane, Paused, StorageUnavailable
from graphrelay.oauth.answers import Granted
from graphrelay.relay.deliver.bearer import Bearer, Tokens
from graphrelay.relay.deliver.dispatcher import Post, Rights
from graphrelay.spool import Spool
from graphrelay.spool.changes import ForgetDraft
from graphrelay.spool.queries import LeftDrafts
from graphrelay.spool.values import LeftBehind

EVERY = timedelta(minutes=5)


class Leftovers:
    """Owns nothing but its rounds."""

    def __init__(
        self,
        spool: Spool,
        tokens: Tokens,
        post: Post,
        rights: Callable[[Lane], Rights],
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._spool = spool
        self._tokens = tokens
        self._post = post
        self._rights = rights
        self._clock = clock
        self._journal = journal

    async def run(self) -> None:
        """Never returns."""
        while True:
            try:
                await self.sweep()
            except (StorageUnavailable, OSError) as error:
                self._journal.warning("drafts-not-swept", reason=str(error))
            except Exception as error:  # a mistake of ours, which must not stop the mail
                self._journal.error("drafts-broke", reason=repr(error))
            await self._clock.sleep(EVERY)

    async def sweep(self) -> None:
        """Take away what can be, once."""
        for left in await self._spool.read(LeftDrafts()):
            found = await self._take_away(left)
            if found:
                await self._spool.change(ForgetDraft(left.submission_id, left.draft))
                self._journal.draft_swept(left.queue_id, found)

    async def _take_away(self, left: LeftBehind) -> str | None:
        """What became of it; `None` where it must be tried again."""
        token = await self._tokens.token(left.lane.account)
        if not isinstance(token, Granted):
            return None
        bearer = Bearer(self._tokens, left.lane, token)
        own = self._rights(left.lane).own_mailbox
        mailbox = OWN_MAILBOX if own else mailbox_path(left.lane.mailbox)
        post, request_id = self._post.for_lane(left.lane), str(uuid4())
        look = partial(drafts.look_at, post, mailbox, left.draft, client_request_id=request_id)
        seen: Seen | MayNotLook | Delayed | Paused = await bearer.use(look)
        if not isinstance(seen, Seen):
            return None
        if not seen.copies:
            return "it was gone already"
        if not seen.copies[0].is_draft:
            return "it had been sent, and stays in Sent Items"
        delete = partial(drafts.delete, post, mailbox, left.draft, client_request_id=request_id)
        return "it was deleted" if await bearer.use(delete) is True else None
