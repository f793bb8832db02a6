"""The console as a part of the daemon."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final

from graphrelay.clock import Clock
from graphrelay.console.access.links import LASTS, Links
from graphrelay.console.access.microsoft import MicrosoftSignIns
from graphrelay.console.access.sessions import Configured, ConsoleSession, How, Sessions
from graphrelay.console.desk import Desk
from graphrelay.console.dialogs import Dialogs
from graphrelay.console.live import Changes
from graphrelay.console.metrics.monitoring import Monitoring
from graphrelay.console.options import ConsoleOptions, ShownConfiguration
from graphrelay.console.turns import Turns
from graphrelay.console.web_server import WebServer
from graphrelay.control.verb import Asker, Output, Verb, VerbError, said
from graphrelay.control.verbs.json_views import when
from graphrelay.journal import Entry, Journal, events
from graphrelay.oauth.sign_in.identities import Identities
from graphrelay.smtp.access.listener import TcpEndpoint, endpoint
from graphrelay.smtp.access.login import LoginBook

if TYPE_CHECKING:
    from aiohttp import web

_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 (compared with)


class Console:
    """Serves the pages over `verbs`."""

    def __init__(
        self,
        options: ConsoleOptions,
        verbs: Mapping[str, Verb],
        in_force: Callable[[], ShownConfiguration],
        alert: Callable[[], str],
        monitoring: Monitoring,
        identities: Identities,
        journal: Journal,
        clock: Clock,
        host: str,
        zone: tzinfo | None = None,
    ) -> None:
        """`in_force`: the configuration; `alert`: what is wrong; `host`: this machine's name;
        `zone`: in which days begin at midnight, if not that of this machine."""
        changes = Changes()
        self._journal = journal
        self._server = WebServer("console", lambda: self._desk.options, self._app, journal, clock)
        self._desk = Desk(
            options=options,
            verbs=verbs,
            in_force=in_force,
            alert=alert,
            sessions=Sessions(
                clock, options.idle_timeout, options.session_lifetime, self._session_ended
            ),
            links=Links(clock),
            microsoft=MicrosoftSignIns(identities, clock),
            logins=LoginBook(_logins(options), clock),
            dialogs=Dialogs(changes.changed),
            changes=changes,
            turns=Turns(clock),
            monitoring=monitoring,
            journal=journal,
            clock=clock,
            host=host,
            zone=zone,
        )

    def hear(self, entry: Entry) -> None:
        """A sink of the journal."""
        self._desk.changes.hear(entry)

    def table(self) -> dict[str, Verb]:
        """The verb that makes a sign-in link."""
        return {"console-link": self._link}

    @property
    def address(self) -> str:
        """Where it listens, with the actual port; empty where it does not."""
        return self._server.address

    @property
    def url(self) -> str:
        """Where a browser finds it; empty if it does not listen, or if the address is not known."""
        options = self._desk.options
        scheme = "https" if options.listener.tls != "off" else "http"
        named = options.hosts[0] if options.hosts else ""
        if not self.address:
            return ""
        if named and options.proxy_from:
            return f"https://{named}"
        where = endpoint(self.address)
        if not isinstance(where, TcpEndpoint):
            return f"https://{named}" if named else ""
        host = named or (self._desk.host if where.host in _ANY else where.host)
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{where.port}"

    async def open(self) -> None:
        """Listen. Raises nothing: a failure is reported in the journal."""
        await self._server.open()

    async def run(self) -> None:
        """Serve until cancelled, if it listens."""
        try:
            await self._server.run()
        finally:
            await self._desk.dialogs.aclose()

    def reload(self, options: ConsoleOptions) -> None:
        """Use other users, networks, names and limits; the address stays."""
        before, desk = self._desk.options, self._desk
        desk.options = options
        desk.logins = desk.logins.with_logins(_logins(options))
        desk.sessions.use(
            _configured(before),
            _configured(options),
            options.idle_timeout,
            options.session_lifetime,
        )

    def link(self, who: str) -> str:
        """An address that signs `who` in as operator, once, within five minutes; empty where no
        browser could find it."""
        return f"{self.url}/enter/{self._desk.links.make(who)}" if self.url else ""

    async def _link(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        """For users of the control socket."""
        url = self.link(said(arguments, "by") or "somebody")
        if not url:
            raise VerbError(
                "the console does not listen, or nobody knows by which name a browser finds it; "
                "see [console] address and hosts, and the journal"
            )
        yield {"kind": "link", "url": url, "until": when(self._desk.clock.now() + LASTS)}

    def _app(self) -> "web.Application":
        from graphrelay.console.app import make_app

        return make_app(self._desk)

    def _session_ended(self, session: ConsoleSession, reason: str) -> None:
        self._journal.write(events.SignedOut(who=session.who, reason=reason))


def off(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
    """The verb `console-link` where there is no console."""
    raise VerbError('the console is off; set [console] address, such as "127.0.0.1:8026"')


def _logins(options: ConsoleOptions) -> tuple[Any, ...]:
    return tuple(user.login for user in options.users)


def _configured(options: ConsoleOptions) -> Configured:
    found: dict[tuple[How, str], object] = {
        ("password", user.login.name): user for user in options.users
    }
    if of := options.microsoft:
        where = (of.account, of.tenant, of.client_id)
        found |= {("microsoft", user.username): (user, where) for user in of.users}
    return found
