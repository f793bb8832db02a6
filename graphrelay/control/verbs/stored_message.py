"""Finding a message whose octets are still there: what waits, and what is kept after it is done."""

from graphrelay.control.verb import VerbError
from graphrelay.control.verbs.mail import stored
from graphrelay.model import Done, Submission
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import MailLost, NotQueued
from graphrelay.spool.queries import HistoryOf
from graphrelay.spool.values import MessageHistory, PartHistory


async def history(spool: Spool, queue_id: str) -> MessageHistory:
    """Raises `VerbError` if there is no such message."""
    found = await stored(spool.read(HistoryOf(queue_id)))
    if found is None:
        raise VerbError(f"no message {queue_id} in the queue or in the mail log")
    return found


async def with_octets(spool: Spool, found: MessageHistory, part: PartHistory) -> Submission:
    """One part of the message, to be read. Raises `VerbError` if its octets are gone."""
    done = isinstance(part.state, Done)
    try:
        return await stored(spool.load(part.submission_id, kept=done))
    except NotQueued as error:
        raise VerbError(
            f"the text and files of {found.queue_id} were deleted when it was done; "
            "log.keep_messages keeps those of later messages for a time"
        ) from error
    except MailLost as error:
        raise VerbError(f"{found.queue_id} cannot be read: {error}") from error


async def any_with_octets(spool: Spool, queue_id: str) -> Submission:
    """A part of the message, one that is not done if there is one. Raises `VerbError`."""
    found = await history(spool, queue_id)
    waiting = (part for part in found.parts if not isinstance(part.state, Done))
    return await with_octets(spool, found, next(waiting, found.parts[0]))
