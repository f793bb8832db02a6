"""What a check is: a row of the table of assumptions, what it does and sends, what it needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from graphrelay.assumptions import TRIED, Assumption
from graphrelay.doctor.examination import Examination
from graphrelay.doctor.finding import Finding


class Whom(Enum):
    """Who gets a letter."""

    OWN = "the account's own mailbox"
    ADDRESS = "ADDRESS"
    NOBODY = "an address below .invalid, which nobody can have"
    BOTH = "the account's own mailbox and ADDRESS"


class Must(Enum):
    """What the account must be allowed in its mailbox."""

    SEND = "Mail.Send"
    READ = "Mail.Read or Mail.ReadWrite"
    WRITE = "Mail.ReadWrite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One row of the table in `checks.py`."""

    name: str
    does: str
    run: Callable[[Examination], Awaitable[Finding]]
    sends: tuple[tuple[str, Whom], ...] = ()
    """Keys of letters. Checks that look at the same letter share it: it is sent once."""
    must: Must = Must.SEND

    @property
    def assumption(self) -> Assumption:
        return TRIED[self.name]
