"""An attempt as the mail log keeps it, and what a submission becomes after it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from graphrelay.model.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One finished try at Graph."""

    number: int
    """From 1."""
    started_at: datetime
    finished_at: datetime
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Queued:
    """Waits for its next attempt."""

    not_before: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """Waits for a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """Relayed, failed or deleted: nothing follows, the octets may go, the mail log stays."""

    how: Literal["relayed", "failed", "deleted"]
    reason: str = ""


NextState = Queued | Held | Done
