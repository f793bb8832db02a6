"""What the spool does in the background must not stop the mail, and is tried again if it fails."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from graphrelay.clock import Clock
from graphrelay.journal import Journal, events
from graphrelay.model import StorageUnavailable


async def again_and_again(
    work: Callable[[], Awaitable[None]], interval: timedelta, clock: Clock, journal: Journal
) -> None:
    """Never returns. Failures are written to the journal."""
    while True:
        try:
            await work()
        except StorageUnavailable as error:
            journal.write(events.SpoolHousekeeping(reason=str(error)))
        except Exception as error:  # a bug
            journal.write(events.SpoolBroke(reason=repr(error)))
        await clock.sleep(interval)
