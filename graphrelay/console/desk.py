"""What every page works with: the verbs, the sessions, the journal, the clock.

A page calls a verb as the command line does, and records in the journal who did what.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from graphrelay.clock import Clock
from graphrelay.console.access.links import Links
from graphrelay.console.access.origin import Caller
from graphrelay.console.access.sessions import ConsoleSession, Sessions
from graphrelay.console.dialogs import Dialogs
from graphrelay.console.live import Changes
from graphrelay.console.metrics.counts import Counts
from graphrelay.console.options import ConsoleOptions, ShownConfiguration
from graphrelay.control.verb import Output, Verb, VerbError
from graphrelay.journal import Journal, events
from graphrelay.smtp.access.login import LoginBook


@dataclass(frozen=True, slots=True)
class SignedInVisit:
    """A request of a signed-in user."""

    session: ConsoleSession
    caller: Caller
    token: str
    """For its forms."""


@dataclass(slots=True)
class Desk:
    """One for the whole console."""

    options: ConsoleOptions
    verbs: Mapping[str, Verb]
    in_force: Callable[[], ShownConfiguration]
    alert: Callable[[], str]
    """What is wrong, in few words; empty if nothing is."""
    sessions: Sessions
    links: Links
    logins: LoginBook
    dialogs: Dialogs
    changes: Changes
    counts: Counts
    journal: Journal
    clock: Clock
    host: str
    """This machine, as the relay calls itself."""
    checked: dict[str, tuple[datetime, Output]] = field(default_factory=dict)
    """For each account what Entra answered when somebody checked, and when."""

    async def ask(self, verb: str, **arguments: Any) -> list[Output]:
        """Carry out a verb that asks no questions; returns all its events. Raises `VerbError`."""
        return [event async for event in self.events(verb, **arguments)]

    def events(self, verb: str, **arguments: Any) -> AsyncGenerator[Output]:
        """The same, one event after the other."""
        given = {name: value for name, value in arguments.items() if value not in (None, "")}
        return self._events(verb, given)

    async def _events(self, verb: str, given: Mapping[str, Any]) -> AsyncGenerator[Output]:
        async for event in self.verbs[verb](given, _nobody):
            yield event

    def reason(self, visit: SignedInVisit, form: Mapping[str, Any]) -> str:
        """What a form gives as the reason, with who sent it, for the mail log."""
        by, reason = f"by {visit.session.who}", str(form.get("reason", "")).strip()
        return f"{reason} ({by})" if reason else by

    def acted(self, visit: SignedInVisit, what: str, on: str) -> None:
        """Record in the journal who does what, before it is done."""
        self.journal.write(
            events.Acted(who=visit.session.who, client=visit.caller.client, what=what, on=on)
        )


async def _nobody(what: str) -> str:
    raise VerbError(f"the verb asked for {what}, which this page cannot answer")
