"""What was refused at the door since the relay started: the latest, and how many by reply code.

The mail log has only what was accepted; this is what an admin looks for when a device cannot send.
"""

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from graphrelay.journal import Entry, events

KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused command."""

    at: datetime
    client: str
    listener: str
    stage: str
    reply: str
    sender: str
    recipient: str
    login: str
    reason: str
    times: int
    """With those that were left out since the last one."""


class Refusals:
    """Listens to the journal."""

    def __init__(self) -> None:
        self.latest: deque[Refusal] = deque(maxlen=KEPT)
        self.by_code: Counter[str] = Counter()

    def hear(self, entry: Entry) -> None:
        """A sink of the journal."""
        match entry.what:
            case events.Refused() as refused:
                times = 1 + (refused.before or 0)
                self.by_code[refused.reply[:3]] += times
                self.latest.appendleft(
                    Refusal(
                        entry.at,
                        refused.origin.client,
                        refused.origin.listener,
                        refused.stage,
                        refused.reply,
                        refused.sender or "",
                        refused.recipient or "",
                        refused.login or "",
                        refused.reason or "",
                        times,
                    )
                )
