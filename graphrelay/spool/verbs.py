"""What hold, release, retry and delete do to the parts of a message. Decided here; an engine finds
the parts, and changes those that are chosen, in one transaction.

A queue id without a part means every part of the message; `ID/2` means that part. While a request
for any of them is in flight the verb is refused, since its result is not known yet. Parts that are
done are not changed. The verb applies to all the others or to none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from graphrelay.model import Done, Held, NextState, Queued, QueueEntry
from graphrelay.spool.changes import Delete, Hold, NotChanged, Release, Retry
from graphrelay.spool.values import State, What


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message, as it is found."""

    entry: QueueEntry
    state: State
    in_flight: bool


@dataclass(frozen=True, slots=True)
class Verb:
    """Applied to what `which` names: a queue id, or a submission's id."""

    which: str | int
    what: What
    from_states: tuple[State, ...]
    to: NextState
    reason: str

    def choose(self, parts: Sequence[Part]) -> tuple[QueueEntry, ...] | NotChanged:
        """The parts that change to the state `to`, as they are then."""
        if not parts:
            return NotChanged("unknown", f"There is no message {self.which} in the spool.")
        if any(part.in_flight for part in parts):
            return NotChanged(
                "in flight", f"{self.which} is on its way to Microsoft just now. Try again shortly."
            )
        if chosen := [part.entry for part in parts if part.state in self.from_states]:
            return tuple(map(self._changed, chosen))
        if all(part.state not in ("queued", "held") for part in parts):
            return NotChanged("done", f"{self.which} is {parts[0].state} already.")
        if any(part.state == "held" for part in parts):
            return NotChanged("held", f"{self.which} is held. Release it to let it go on.")
        return NotChanged("not held", f"{self.which} is not held; it waits in the queue.")

    def _changed(self, entry: QueueEntry) -> QueueEntry:
        if isinstance(self.to, Queued):
            return replace(entry, not_before=self.to.not_before)
        return entry


def verb(change: Hold | Release | Retry | Delete, now: datetime) -> Verb:
    which, reason = change.which, change.reason
    match change:
        case Hold():
            return Verb(which, "held", ("queued",), Held(reason), reason)
        case Release():
            return Verb(which, "released", ("held",), Queued(now), reason)
        case Retry():
            return Verb(which, "retried", ("queued",), Queued(now), reason)
        case Delete():
            return Verb(which, "deleted", ("queued", "held"), Done("deleted", reason), reason)
