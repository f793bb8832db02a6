"""An event with its time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from graphrelay.journal.events import Event, Level, Value


@dataclass(frozen=True, slots=True)
class Entry:
    """What every sink receives."""

    at: datetime
    what: Event

    @property
    def level(self) -> Level:
        return self.what.level

    @property
    def event(self) -> str:
        """The event's name."""
        return self.what.name

    @property
    def queue_id(self) -> str:
        """The queue id of the message that the event concerns; empty if it concerns none."""
        return str(self.what.fields().get("queue_id") or "")

    @property
    def fields(self) -> dict[str, Value]:
        """Everything else that the line shows."""
        fields = dict(self.what.fields())
        fields.pop("queue_id", None)
        return fields


Sink = Callable[[Entry], None]
