"""An attempt in the mail log, and the states of a submission after it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from graphrelay.model.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A finished attempt to send through Graph."""

    number: int
    """From 1."""
    started_at: datetime
    finished_at: datetime
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Queued:
    """Queued until its next attempt."""

    not_before: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """Held until an administrator releases it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """Relayed, failed or deleted: final. The octets may be deleted; the mail log stays."""

    how: Literal["relayed", "failed", "deleted"]
    reason: str = ""


NextState = Queued | Held | Done
