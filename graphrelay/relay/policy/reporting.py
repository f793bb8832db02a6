"""Who gets reports, and of what."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from graphrelay.model import Address

ReportTo = Literal["sender", "nobody"] | Address
"""Who gets reports: the envelope's sender, nobody, or always the same address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPolicy:
    """Who gets which reports."""

    to: ReportTo = "sender"
    delay_notice: timedelta | None = None
    """After how long a delay is reported; `None`: never."""
    lifetime: timedelta = timedelta(days=5)
    """As in DeliveryPolicy; a report of a delay says until when the relay tries."""
