"""The console as a part of the daemon: it listens from the start, and loads with its first client.

What makes pages (a web server, templates) takes memory, and most of the time it is not needed: so
the sockets are opened at start, and the rest is loaded with the first connection. A failure has no
effect on mail: an address that is in use is reported in the journal.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Self

from graphrelay.clock import Clock
from graphrelay.console.access.links import LASTS, Links
from graphrelay.console.access.sessions import ConsoleSession, Sessions
from graphrelay.console.desk import Desk
from graphrelay.console.dialogs import Dialogs
from graphrelay.console.live import Changes
from graphrelay.console.metrics.counts import Counts
from graphrelay.console.options import ConsoleOptions, ConsoleUser, ShownConfiguration
from graphrelay.control.verb import Asker, Output, Verb, VerbError, said
from graphrelay.control.verbs.json_views import when
from graphrelay.journal import Entry, Journal, events
from graphrelay.smtp.access.listener import ListenError, TcpEndpoint, endpoint
from graphrelay.smtp.access.login import LoginBook
from graphrelay.smtp.access.tls import ListenerCertificate
from graphrelay.smtp.sockets import close_all, name_of, open_sockets

_BACKLOG: Final = 128
_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 (compared with)


class Console:
    """Serves the pages over `verbs`."""

    def __init__(
        self,
        options: ConsoleOptions,
        verbs: Mapping[str, Verb],
        in_force: Callable[[], ShownConfiguration],
        alert: Callable[[], str],
        journal: Journal,
        clock: Clock,
        host: str,
    ) -> None:
        """`in_force`: the configuration; `alert`: what is wrong; `host`: this machine's name."""
        changes = Changes()
        self._journal = journal
        self._sockets: list[socket.socket] = []
        self._tls: ssl.SSLContext | None = None
        self._desk = Desk(
            options=options,
            verbs=verbs,
            in_force=in_force,
            alert=alert,
            sessions=Sessions(
                clock, options.idle_timeout, options.session_lifetime, self._session_ended
            ),
            links=Links(clock),
            logins=LoginBook(_logins(options), clock),
            dialogs=Dialogs(changes.changed),
            changes=changes,
            counts=Counts(),
            journal=journal,
            clock=clock,
            host=host,
        )

    def hear(self, entry: Entry) -> None:
        """A sink of the journal."""
        self._desk.counts.hear(entry)
        self._desk.changes.hear(entry)

    def table(self) -> dict[str, Verb]:
        """The verb that makes a sign-in link."""
        return {"console-link": self._link}

    @property
    def address(self) -> str:
        """Where it listens, with the actual port; empty where it does not."""
        return name_of(self._sockets[0]) if self._sockets else ""

    @property
    def url(self) -> str:
        """Where a browser finds it; empty if it does not listen, or if the address is not known."""
        options = self._desk.options
        scheme = "https" if options.listener.tls != "off" else "http"
        named = options.hosts[0] if options.hosts else ""
        if not self._sockets:
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
        options = self._desk.options
        try:
            self._tls = _certificate(options, self._journal)
            self._sockets = await open_sockets(options.listener.address)
            for one in self._sockets:
                one.listen(_BACKLOG)
                one.setblocking(False)
        except (ListenError, OSError) as error:
            close_all(self._sockets)
            self._sockets = []
            self._journal.write(
                events.ConsoleNotListening(
                    address=options.listener.address,
                    reason=str(error),
                    next="mail is not affected; the console stays away until a restart",
                )
            )
            return
        self._journal.write(events.ConsoleListening(address=self.address, tls=options.listener.tls))

    async def run(self) -> None:
        """Serve until cancelled, if it listens."""
        if not self._sockets:
            return
        try:
            await _first_client(self._sockets)
            await self._serve()
        finally:
            close_all(self._sockets)
            self._sockets = []

    async def _serve(self) -> None:
        # Some 100 ms of reading files: not in the loop, where mail is accepted.
        app = await asyncio.to_thread(_load, self._desk)
        runner = app.runner()
        await runner.setup()
        try:
            for one in self._sockets:
                await app.site(runner, one, self._tls, _BACKLOG).start()
            await asyncio.Event().wait()
        finally:
            await self._desk.dialogs.aclose()
            await runner.cleanup()

    def reload(self, options: ConsoleOptions) -> None:
        """Use other users, networks, names and limits; the address stays."""
        before, desk = self._desk.options, self._desk
        desk.options = options
        desk.logins = desk.logins.with_logins(_logins(options))
        desk.sessions.use(
            _by_name(before), _by_name(options), options.idle_timeout, options.session_lifetime
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

    def _session_ended(self, session: ConsoleSession, reason: str) -> None:
        self._journal.write(events.SignedOut(who=session.who, reason=reason))


def off(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
    """The verb `console-link` where there is no console."""
    raise VerbError('the console is off; set [console] address, such as "127.0.0.1:8026"')


def _load(desk: Desk) -> Any:
    from graphrelay.console.app import App

    return App(desk)


async def _first_client(sockets: list[socket.socket]) -> None:
    """Wait for the first connection; it is served as soon as the rest is loaded."""
    loop = asyncio.get_running_loop()
    connected = asyncio.Event()
    for one in sockets:
        loop.add_reader(one.fileno(), connected.set)
    try:
        await connected.wait()
    finally:
        for one in sockets:
            loop.remove_reader(one.fileno())


class _NewestCertificate(ssl.SSLContext):
    """A context that passes each connection to the current context: a server keeps the context that
    it was started with."""

    def __new__(cls, _: ListenerCertificate) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, certificate: ListenerCertificate) -> None:
        self._certificate = certificate

    def wrap_bio(self, *given: Any, **named: Any) -> ssl.SSLObject:
        return self._certificate.context().wrap_bio(*given, **named)


def _certificate(options: ConsoleOptions, journal: Journal) -> ssl.SSLContext | None:
    """The TLS side; each handshake uses the certificate that is in the file at that time."""
    if options.listener.tls == "off":
        return None
    return _NewestCertificate(ListenerCertificate(options.listener, journal))


def _logins(options: ConsoleOptions) -> tuple[Any, ...]:
    return tuple(user.login for user in options.users)


def _by_name(options: ConsoleOptions) -> dict[str, ConsoleUser]:
    return {user.login.name: user for user in options.users}
