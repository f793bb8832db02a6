"""An event with its time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from graphrelay.journal.event import Event, Level, Value


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

    def split(self) -> tuple[str, dict[str, Value]]:
        """The queue id of the message that the event is about, which is empty where it is about
        none, and all that the line shows besides."""
        fields = dict(self.what.fields())
        return str(fields.pop("queue_id", None) or ""), fields

    @property
    def queue_id(self) -> str:
        """The first part of `split`."""
        return self.split()[0]

    @property
    def fields(self) -> dict[str, Value]:
        """The second part of `split`."""
        return self.split()[1]


Sink = Callable[[Entry], None]
