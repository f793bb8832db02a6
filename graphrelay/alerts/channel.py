"""What every channel to people has in common: it tries an alert once, and says what came of it."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from graphrelay.alerts.alert import Alert


@dataclass(frozen=True, slots=True)
class Sent:
    """The other side accepted it."""


@dataclass(frozen=True, slots=True)
class AlertNotSent:
    """The other side did not; `reason` holds no secret."""

    reason: str
    again: bool
    """Whether the same may succeed later."""
    after: timedelta | None = None
    """How long the other side asked us to wait, if it did."""


class Channel(Protocol):
    """One way in which alerts reach people."""

    @property
    def name(self) -> str:
        """For people; holds no secret."""
        ...

    async def send(self, alert: Alert) -> Sent | AlertNotSent:
        """Try once, within a bounded time. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is in the configuration, or in a file that is read at each use."""

    text: str = ""
    file: Path | None = None

    def __repr__(self) -> str:
        return "Secret(…)"

    def read(self) -> str:
        """Raises `OSError`, `UnicodeDecodeError`."""
        return self.file.read_text(encoding="utf-8").strip() if self.file else self.text
