"""Errors of the spool besides `StorageUnavailable`, whichever engine is used."""

from graphrelay.model import one_line

GOES_ON = "what was accepted before is kept, and the relay resumes by itself"
"""What follows a failure of a call to the spool."""
ENDS = "what was accepted before is kept. This process ends, and may be started again"
"""What follows where the spool cannot be opened, or a command cannot do its work."""


class SpoolInUse(Exception):  # noqa: N818 (a condition, not a programming error)
    """Another process owns the spool; `pid` is `None` if it is unknown."""

    def __init__(self, where: object, pid: int | None) -> None:
        self.pid = pid
        owner = f"process {pid}" if pid else "another process"
        super().__init__(f"The spool {where} is in use by {owner}. Only one relay may own it.")


class SpoolTooNew(Exception):  # noqa: N818
    """The spool was written by a later version of the program; it was not touched."""

    def __init__(
        self,
        where: object,
        found: int,
        known: int,
        remedy: str = "Install the newer graphrelay again, or restore the copy made at the upgrade",
    ) -> None:
        super().__init__(
            f"The spool {where} has schema version {found}; this program supports up to {known}."
            f" {remedy}."
        )


class FateUnknown(Exception):  # noqa: N818
    """The server will not say whether a transaction was committed: this process cannot go on."""

    def __init__(self, why: object) -> None:
        super().__init__(
            f"It cannot be found out whether the last transaction was committed: {one_line(why)}."
            " The relay ends; systemd starts it again. What was answered with 250 is kept, and what"
            " was in flight is settled as after a crash. Messages that were refused at this moment"
            " may have been kept, and arrive twice if they are sent again."
        )


class NotQueued(Exception):  # noqa: N818
    """The submission is not queued: it is unknown, held, in flight, done or in another lane."""


class MailLost(Exception):  # noqa: N818
    """The submission cannot be read, or processes that read it die. It is now held, and the journal
    says so."""


MOST_STARTS = 3
"""How many processes may die while they read the same message."""
ENDED = (
    f"The relay died {MOST_STARTS} times while reading this message for sending. Report it with the"
    " journal of those times, then release or delete it."
)
