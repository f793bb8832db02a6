"""The running relay: opens its parts, connects them, and closes them in the right order.

    vault ─▶ tokens ─┐
    spool ───────────┼─▶ courier ─▶ queue ─▶ reception ─▶ SMTP server
    graph ───────────┘                                    control socket

It opens from the disk outwards, so that no mail is accepted before it can be stored. It closes the
other way: no new connections, then the requests in flight end, and the spool is closed last. All
tasks in between belong to one TaskGroup.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from ssl import SSLContext

from graphrelay.alerts.manager import AlertManager
from graphrelay.alerts.watch import Figures, SpoolUnreadable
from graphrelay.clock import Clock, SystemClock
from graphrelay.config import Settings
from graphrelay.console.server import Console
from graphrelay.console.server import off as console_off
from graphrelay.control.socket.server import ControlServer
from graphrelay.control.verb import Verb
from graphrelay.control.verbs.alerts import AlertVerbs
from graphrelay.control.verbs.authorizations import AuthorizationVerbs
from graphrelay.control.verbs.content import ContentVerbs
from graphrelay.control.verbs.headers import HeaderVerbs
from graphrelay.control.verbs.live import LiveVerbs
from graphrelay.control.verbs.mail import Configured, IdleQueue, MailVerbs, QueueVerbs
from graphrelay.control.verbs.reload import ReloadRequests, ReloadVerb
from graphrelay.control.verbs.scope import ScopeVerbs
from graphrelay.control.verbs.vault import VaultVerbs
from graphrelay.daemon import wiring
from graphrelay.daemon.configuration import Configuration
from graphrelay.doctor.examination import Reachable
from graphrelay.doctor.verb import DoctorVerbs
from graphrelay.drop import USUAL, DropFolder, DropUnusable, Pickup
from graphrelay.graph.client import GraphClient
from graphrelay.graph.http.exchange import Timeouts
from graphrelay.graph.http.tls import CertificatesUnreadable, client_context
from graphrelay.graph.http.transport import Endpoint
from graphrelay.journal import Journal, Sink, events, stream_sink
from graphrelay.model import StorageUnavailable
from graphrelay.oauth.entra.msal_http import Http
from graphrelay.oauth.tokens.manager import TokenManager
from graphrelay.oauth.vault import Vault, open_vault
from graphrelay.oauth.vault.choice import Chosen
from graphrelay.relay.accept.reception import MailReception
from graphrelay.relay.accept.refusals import RefusalLog
from graphrelay.relay.deliver.courier import Courier
from graphrelay.relay.deliver.dispatcher import Dispatcher
from graphrelay.relay.deliver.ndr_poll import NdrPoll
from graphrelay.relay.deliver.request_limits import RequestLimits
from graphrelay.relay.deliver.stale_drafts import StaleDrafts
from graphrelay.relay.outgoing.as_mime import outgoing
from graphrelay.relay.queue.backup import TakeOver
from graphrelay.relay.queue.manager import QueueManager
from graphrelay.relay.reports.reporter import Reporter
from graphrelay.smtp.access.listener import ListenError
from graphrelay.smtp.connection.transcript import Transcripts
from graphrelay.smtp.server import Server
from graphrelay.spool import Spool
from graphrelay.spool.errors import SpoolInUse, SpoolTooNew
from graphrelay.spool.queries import Count
from graphrelay.spool.sqlite import SqliteSpool


class CannotStart(Exception):  # noqa: N818 (a condition, reported to the admin)
    """Something that the relay needs is missing; the text says what, and what to do."""


class SpoolTaken(CannotStart):
    """Another process has opened the spool; it may close it soon."""


LOCK_PATIENCE = timedelta(seconds=5)
"""How long a daemon that starts waits for a command that has the spool open."""


@dataclass(frozen=True, slots=True)
class Relay:
    """A running relay, for whoever started it."""

    tokens: TokenManager
    spool: Spool
    queue: QueueManager
    reception: MailReception
    server: Server
    alerts: AlertManager
    journal: Journal
    configuration: Configuration
    console: Console | None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, with the actual ports."""
        return self.server.addresses

    async def reload(self, settings: Settings) -> None:
        """Use the listeners, limits, logins, accounts, routes and alerts of `settings` from now on.
        Raises `CannotStart`, and then nothing has changed."""
        table, backups = wiring.table(settings), wiring.backups(settings)
        with as_cannot_start():
            await self.server.reload(
                wiring.listeners(settings),
                wiring.limits(settings),
                wiring.hostname(settings),
                wiring.logins(settings),
                transcribed=settings.smtp.transcripts,
            )
        self.reception.use(table, wiring.max_message_size(settings))
        self.queue.use_backups(backups)
        if self.console and (options := wiring.console(settings)):
            self.console.reload(options)
        self.configuration.settings = settings
        self.configuration.addresses = self.addresses
        self.alerts.use(wiring.thresholds(settings.alerts), wiring.channels(settings.alerts))
        # Last, and with no wait in between: the accounts change at once, then it waits for the
        # thread that may be asking Entra. By then no message is routed to a removed account.
        await self.tokens.reconfigure(wiring.accounts(settings))


@asynccontextmanager
async def running(
    settings: Settings,
    clock: Clock | None = None,
    *sinks: Sink,
    config: Path | None = None,
    reloads: ReloadRequests | None = None,
) -> AsyncIterator[Relay]:
    """The whole relay. It listens when the block begins; when the block ends it finishes what is in
    flight, within `delivery.shutdown_grace`. `sinks` replace the configured log; `config` is the
    file of the settings. The verb `reload` is there if the caller takes care of `reloads`.

    Raises `CannotStart`.
    """
    clock = clock or SystemClock()
    alerts = wiring.alerts(settings, clock)
    refusals = RefusalLog(clock) if settings.log.refusals else None
    hearing = (alerts.hear, refusals.hear) if refusals else (alerts.hear,)
    journal = Journal(clock, *(sinks or (log_sink(settings),)), *hearing)
    with _unwrapped():
        async with AsyncExitStack() as stack:
            configuration = Configuration(settings, config)
            more = ReloadVerb(reloads).table() if reloads else {}
            yield await _opened(stack, configuration, clock, journal, alerts, refusals, more)


async def _opened(
    stack: AsyncExitStack,
    configuration: Configuration,
    clock: Clock,
    journal: Journal,
    alerts: AlertManager,
    refusals: RefusalLog | None,
    more_verbs: Mapping[str, Verb],
) -> Relay:
    """Open and start everything, to be closed with the stack."""
    settings = configuration.settings
    with as_cannot_start():
        rooms = await _rooms(stack, settings, clock, journal, LOCK_PATIENCE)
        verbs = _verbs(rooms, rooms.queue, settings, clock, alerts)
        verbs |= {**_live_verbs(rooms, settings, clock), **more_verbs}
        console = _console(verbs, configuration, alerts, journal, clock)
        verbs |= console.table() if console else {"console-link": console_off}
        control = ControlServer(
            wiring.control_socket(settings), verbs, journal, clock, settings.control.group
        )
        await stack.enter_async_context(control)
    tasks = await stack.enter_async_context(asyncio.TaskGroup())
    watching = tasks.create_task(alerts.run(journal, _Watched(rooms)), name="alerts")
    stack.callback(watching.cancel)
    _start_background(stack, tasks, rooms, settings)
    if refusals:
        stack.push_async_callback(refusals.flush, rooms.spool, journal)
        noting = tasks.create_task(refusals.run(rooms.spool, journal), name="refusals")
        stack.callback(noting.cancel)
    with as_cannot_start():
        server = _server(settings, rooms, clock, journal)
        await server.start()
        stack.push_async_callback(server.stop, settings.delivery.shutdown_grace)
        await _pick_up(stack, tasks, rooms, settings, clock, journal)
    configuration.addresses = server.addresses
    if console:
        await console.open()
        looking = tasks.create_task(console.run(), name="console")
        stack.callback(looking.cancel)
    return Relay(
        rooms.tokens,
        rooms.spool,
        rooms.queue,
        rooms.reception,
        server,
        alerts,
        journal,
        configuration,
        console,
    )


@asynccontextmanager
async def verbs_without_daemon(settings: Settings) -> AsyncIterator[Mapping[str, Verb]]:
    """The verbs of the control socket, carried out by this process: it does not listen, and sends
    no mail. Raises `CannotStart`."""
    clock = SystemClock()
    journal = Journal(clock)
    async with AsyncExitStack() as stack:
        with as_cannot_start():
            rooms = await _rooms(stack, settings, clock, journal)
        alerts = wiring.alerts(settings, clock)
        yield _verbs(rooms, IdleQueue(rooms.spool), settings, clock, alerts)


# --- Opening --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rooms:
    """What runs before clients can connect."""

    tokens: TokenManager
    graph: GraphClient
    spool: Spool
    queue: QueueManager
    limits: RequestLimits
    reception: MailReception
    transcripts: Transcripts
    leftovers: StaleDrafts
    bounces: NdrPoll
    reporter: Reporter


class _Watched:
    """The source of figures for the alerts."""

    def __init__(self, rooms: _Rooms) -> None:
        self._rooms = rooms

    async def figures(self) -> Figures | SpoolUnreadable:
        try:
            stats = await self._rooms.spool.read(Count())
        except (OSError, StorageUnavailable) as error:
            return SpoolUnreadable(str(error))
        return Figures(waiting=stats.queued, oldest=stats.oldest, free=stats.free)

    def paused(self) -> set[str]:
        return {str(lane) for lane in self._rooms.queue.paused()}

    def accounts(self) -> set[str]:
        return {account.name for account in self._rooms.tokens.accounts}


async def _rooms(
    stack: AsyncExitStack,
    settings: Settings,
    clock: Clock,
    journal: Journal,
    patience: timedelta = timedelta(0),
) -> _Rooms:
    directory = wiring.state_directory(settings)
    tls = client_context(settings.cloud.ca_file)
    spool = await stack.enter_async_context(
        SqliteSpool.open(directory, clock, journal, patience=patience)
    )
    tokens = _tokens(settings, tls, clock, journal)
    stack.push_async_callback(tokens.aclose)
    cloud, proxy = wiring.cloud(settings.cloud), wiring.proxy(settings.cloud)
    graph = GraphClient(cloud, tls, tokens, tokens.user_of, clock, proxy=proxy)
    stack.push_async_callback(graph.aclose)
    limits = wiring.request_limits(settings, clock, journal)
    queue, reporter = _queue_and_reporter(settings, spool, tokens, graph, limits, clock, journal)
    reception = _reception(settings, spool, queue, clock, journal)
    leftovers = StaleDrafts(spool, graph, clock, journal)
    bounces = NdrPoll(graph, spool, lambda: tokens.accounts, clock, journal)
    return _Rooms(
        tokens, graph, spool, queue, limits, reception, Transcripts(), leftovers, bounces, reporter
    )


def _tokens(settings: Settings, tls: SSLContext, clock: Clock, journal: Journal) -> TokenManager:
    return TokenManager(
        wiring.accounts(settings),
        wiring.token_cloud(wiring.cloud(settings.cloud)),
        open_vault(wiring.state_directory(settings), settings.vault.backend),
        Http(tls, settings.cloud.proxy),
        clock,
        journal,
    )


def _queue_and_reporter(
    settings: Settings,
    spool: Spool,
    tokens: TokenManager,
    graph: GraphClient,
    limits: RequestLimits,
    clock: Clock,
    journal: Journal,
) -> tuple[QueueManager, Reporter]:
    """The queue, with what delivers its mail and reports on it. Lanes resume when an authorization
    works again."""
    policy = wiring.policy(settings.delivery)
    uncertain = policy.on_uncertain
    options = tokens.options
    dispatcher = Dispatcher(outgoing, spool, options, uncertain, clock, journal, limits)
    reports = wiring.reports(settings.delivery)
    reporter = Reporter(spool, clock, journal, reports, wiring.hostname(settings))
    courier = Courier(spool, graph, dispatcher, clock, journal, policy, random.random, reporter)
    take_over = TakeOver(spool, graph, journal, wiring.backups(settings))
    queue = QueueManager(spool, courier, clock, journal, policy, take_over)
    tokens.on_change(lambda account: queue.resume(account, "its authorization works"))
    return queue, reporter


def _reception(
    settings: Settings, spool: Spool, queue: QueueManager, clock: Clock, journal: Journal
) -> MailReception:
    return MailReception(
        spool=spool,
        queue=queue,
        table=wiring.table(settings),
        journal=journal,
        clock=clock,
        hostname=wiring.hostname(settings),
        max_message_size=wiring.max_message_size(settings),
    )


def _start_background(
    stack: AsyncExitStack, tasks: asyncio.TaskGroup, rooms: _Rooms, settings: Settings
) -> None:
    """Start the background tasks, to be ended before the disk is closed."""
    background = (
        tasks.create_task(rooms.tokens.run(), name="tokens"),
        tasks.create_task(rooms.bounces.run(), name="bounces"),
        tasks.create_task(rooms.spool.keep_house(settings.log.keep), name="spool"),
        tasks.create_task(rooms.leftovers.run(), name="leftovers"),
        tasks.create_task(rooms.reporter.run(rooms.queue.add), name="reports"),
    )
    for task in background:
        stack.callback(task.cancel)
    carrying = tasks.create_task(rooms.queue.run(), name="queue")

    async def finish() -> None:
        await rooms.queue.drain(settings.delivery.shutdown_grace)
        await carrying

    stack.push_async_callback(finish)


async def _pick_up(
    stack: AsyncExitStack,
    tasks: asyncio.TaskGroup,
    rooms: _Rooms,
    settings: Settings,
    clock: Clock,
    journal: Journal,
) -> None:
    """Accept mail from the drop folder from now on."""
    directory = settings.drop.directory
    if directory is None:
        if await asyncio.to_thread(DropFolder.is_left_alone, USUAL):
            remedy = f'set [drop] directory = "{USUAL}", or mail in it is never sent'
            journal.write(events.DropNotRead(directory=USUAL, remedy=remedy))
        return
    folder = await asyncio.to_thread(DropFolder.open, directory)
    stack.callback(folder.close)
    pickup = Pickup(folder, rooms.reception, wiring.drop_listener(settings), journal, clock)
    picking_up = tasks.create_task(pickup.run(), name="drop")

    async def finish() -> None:
        pickup.stop()
        await picking_up

    stack.push_async_callback(finish)


def _server(settings: Settings, rooms: _Rooms, clock: Clock, journal: Journal) -> Server:
    return Server(
        wiring.listeners(settings),
        wiring.limits(settings),
        wiring.hostname(settings),
        wiring.logins(settings),
        rooms.reception,
        journal,
        clock,
        transcribed=settings.smtp.transcripts,
        transcripts=rooms.transcripts,
    )


def _verbs(
    rooms: _Rooms, queue: QueueVerbs, settings: Settings, clock: Clock, alerts: AlertManager
) -> dict[str, Verb]:
    directory = wiring.state_directory(settings)

    def another_place(backend: Chosen) -> Vault:
        return open_vault(directory, backend, why="moved there")

    configured = Configured(lambda: rooms.tokens.accounts, lambda: rooms.reception.routes)
    content = ContentVerbs(rooms.spool).table()
    mail = MailVerbs(rooms.spool, queue, configured, clock).table()
    authorizations = AuthorizationVerbs(rooms.tokens).table()
    scope = ScopeVerbs(rooms.tokens, rooms.graph).table()
    scope |= HeaderVerbs(rooms.tokens, rooms.graph).table()
    vault = VaultVerbs(rooms.tokens, settings.vault.backend, another_place).table()
    doctor = DoctorVerbs(_reachable(rooms, settings, clock)).table()
    return mail | content | authorizations | scope | vault | doctor | AlertVerbs(alerts).table()


def _reachable(rooms: _Rooms, settings: Settings, clock: Clock) -> Reachable:
    """Microsoft, as the lanes reach it."""
    proxy, tls = wiring.proxy(settings.cloud), client_context(settings.cloud.ca_file)
    return Reachable(
        graph_url=wiring.cloud(settings.cloud).graph_url,
        endpoint=Endpoint(tls, proxy, Timeouts()),
        tokens=rooms.tokens,
        limits=rooms.limits,
        clock=clock,
    )


def _live_verbs(rooms: _Rooms, settings: Settings, clock: Clock) -> dict[str, Verb]:
    listener = settings.smtp.listeners[0].address if settings.smtp.listeners else ""
    live = LiveVerbs(
        rooms.reception,
        rooms.spool,
        rooms.queue,
        rooms.limits,
        listener,
        rooms.transcripts,
        clock,
    )
    return live.table()


def _console(
    verbs: Mapping[str, Verb],
    configuration: Configuration,
    alerts: AlertManager,
    journal: Journal,
    clock: Clock,
) -> Console | None:
    """The pages over these verbs, not listening yet."""
    options = wiring.console(configuration.settings)
    if options is None:
        return None
    console = Console(
        options,
        verbs,
        lambda: configuration.shown(clock.now().date()),
        lambda: alerts.status,
        journal,
        clock,
        wiring.hostname(configuration.settings),
    )
    journal.add(console.hear)
    return console


def log_sink(settings: Settings) -> Sink:
    """Standard error, which systemd keeps, in the style of `[log]`."""
    return stream_sink(style=settings.log.format, level=settings.log.level)


@contextmanager
def _unwrapped() -> Iterator[None]:
    """Unwrap a single exception from the group that the TaskGroup puts around it."""
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None


@contextmanager
def as_cannot_start() -> Iterator[None]:
    """Turn what keeps a part from opening into `CannotStart`."""
    try:
        yield
    except SpoolInUse as error:
        raise SpoolTaken(str(error)) from error
    except (
        CertificatesUnreadable,
        DropUnusable,
        ListenError,
        OSError,
        SpoolTooNew,
        StorageUnavailable,
    ) as error:
        raise CannotStart(str(error)) from error
