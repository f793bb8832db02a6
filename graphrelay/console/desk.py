"""What every page works with: the verbs, the sessions, the journal, the clock.

A page calls a verb as the command line does, and records in the journal who did what.
"""

from collections.abc import AsyncGenerator, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from graphrelay.clock import Clock
from graphrelay.console.access.links import Links
from graphrelay.console.access.microsoft import MicrosoftSignIns
from graphrelay.console.access.origin import Caller
from graphrelay.console.access.sessions import ConsoleSession, Sessions
from graphrelay.console.asking import asking, outputs
from graphrelay.console.dialogs import Dialogs
from graphrelay.console.live import Changes
from graphrelay.console.metrics.monitoring import Monitoring
from graphrelay.console.options import ConsoleOptions, ShownConfiguration
from graphrelay.console.turns import Turns
from graphrelay.control.verb import Output, Verb
from graphrelay.journal import Journal, events
from graphrelay.model import one_line
from graphrelay.smtp.access.login import LoginBook

LONGEST_REASON = 200
"""Characters; the verbs cut what is longer than 500, and with it who gave the reason."""


@dataclass(frozen=True, slots=True)
class SignedInVisit:
    """A request of a signed-in user."""

    session: ConsoleSession
    caller: Caller
    token: str
    """For its forms."""

    @property
    def user(self) -> Hashable:
        """Who it is, in all sessions."""
        return self.session.how, self.session.who


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
    microsoft: MicrosoftSignIns
    logins: LoginBook
    dialogs: Dialogs
    changes: Changes
    turns: Turns
    monitoring: Monitoring
    journal: Journal
    clock: Clock
    host: str
    """This machine, as the relay calls itself."""
    zone: tzinfo | None
    """In which a day begins at midnight; `None`: that of this machine."""
    checked: dict[str, tuple[datetime, Output]] = field(default_factory=dict)
    """For each account what Entra answered when somebody checked, and when."""

    async def ask(self, verb: str, **arguments: Any) -> list[Output]:
        """Carry out a verb that asks no questions. Raises `VerbError`."""
        return await asking(self.verbs)(verb, **arguments)

    def outputs(self, verb: str, **arguments: Any) -> AsyncGenerator[Output, None]:
        """The same, one output after the other."""
        return outputs(self.verbs, verb, **arguments)

    def reason(self, visit: SignedInVisit, form: Mapping[str, Any]) -> str:
        """What a form gives as the reason, with who sent it, for the mail log."""
        by, reason = f"by {visit.session.who}", one_line(form.get("reason", ""), LONGEST_REASON)
        return f"{reason} ({by})" if reason else by

    def acted(self, visit: SignedInVisit, what: str, on: str) -> None:
        """Record in the journal who does what, before it is done."""
        self.journal.write(
            events.Acted(who=visit.session.who, client=visit.caller.client, what=what, on=on)
        )
