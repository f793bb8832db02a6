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
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from ssl import SSLContext
from typing import TYPE_CHECKING

from graphrelay.alerts.manager import AlertManager
from graphrelay.alerts.watch import Figures, SpoolUnreadable
from graphrelay.clock import Clock, SystemClock
from graphrelay.console.asking import asking
from graphrelay.console.metrics.monitoring import Monitoring
from graphrelay.console.metrics.server import MetricsServer
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
from graphrelay.control.verbs.resend import ResendVerb
from graphrelay.control.verbs.scope import ScopeVerbs
from graphrelay.control.verbs.vault import VaultVerbs
from graphrelay.daemon.account_setup import AccountSetup
from graphrelay.daemon.configuration import Configuration
from graphrelay.daemon.keeper_apart import KeeperApart, KeeperSettings
from graphrelay.daemon.relay_settings import RelaySettings
from graphrelay.doctor.examination import Reachable
from graphrelay.doctor.verb import DoctorVerbs
from graphrelay.drop import USUAL, DropFolder, DropUnusable, Pickup
from graphrelay.graph.client import GraphClient
from graphrelay.graph.http.exchange import Timeouts
from graphrelay.graph.http.transport import Endpoint
from graphrelay.graph.tls import CertificatesUnreadable, client_context
from graphrelay.journal import Journal, Sink, events, stream_sink
from graphrelay.model import StorageUnavailable
from graphrelay.oauth.sign_in.identities import Identities
from graphrelay.oauth.tokens.keeper import Keeper
from graphrelay.oauth.tokens.manager import TokenManager
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.unit import is_the_service
from graphrelay.oauth.vault.values import SERVICE
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
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import SpoolInUse, SpoolTooNew
from graphrelay.spool.queries import Count
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.url import SpoolUrlUnusable
from graphrelay.task_group import unwrapped

if TYPE_CHECKING:
    from graphrelay.spool.postgres import PostgresSpool


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
    metrics: MetricsServer | None
    monitoring: Monitoring

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, with the actual ports."""
        return self.server.addresses

    async def reload(self, settings: RelaySettings) -> None:
        """Use the listeners, limits, logins, accounts, routes and alerts of `settings` from now on.
        Raises `CannotStart`, and then nothing has changed."""
        with as_cannot_start():
            await self.server.reload(
                settings.listeners,
                settings.limits,
                settings.hostname,
                settings.logins,
                transcribed=settings.transcripts,
            )
        self.reception.use(settings.table, settings.max_message_size)
        self.queue.use_backups(settings.backups)
        if self.console and settings.console:
            self.console.reload(settings.console)
        if self.metrics and settings.metrics:
            self.metrics.options = settings.metrics
        self.monitoring.limits = settings.health
        self.configuration.settings = settings
        self.configuration.addresses = self.addresses
        self.alerts.use(settings.thresholds, settings.channels)
        # Last, and with no wait in between: the accounts change at once, then it waits for the
        # thread that may be asking Entra. By then no message is routed to a removed account.
        await self.tokens.reconfigure(settings.accounts)


@asynccontextmanager
async def running(
    settings: RelaySettings,
    clock: Clock | None = None,
    *sinks: Sink,
    reloads: ReloadRequests | None = None,
    config: Path | None = None,
    keeper_apart: bool = False,
) -> AsyncIterator[Relay]:
    """The whole relay. It listens when the block begins; when the block ends it finishes what is in
    flight, within `delivery.shutdown_grace`. `sinks` replace the configured log. The verb
    `reload` is there if the caller takes care of `reloads`, and `set-up` if the settings are of the
    file `config`, too. With `keeper_apart`, a process of its own keeps the authorizations.

    Raises `CannotStart`.
    """
    clock = clock or SystemClock()
    alerts = AlertManager(settings.hostname, settings.thresholds, settings.channels, clock)
    refusals = RefusalLog(clock) if settings.log_refusals else None
    hearing = (alerts.hear, refusals.hear) if refusals else (alerts.hear,)
    journal = Journal(clock, *(sinks or (log_sink(settings),)), *hearing)
    with unwrapped():
        async with AsyncExitStack() as stack:
            configuration = Configuration(settings)
            more = ReloadVerb(reloads).table() if reloads else {}
            if reloads and config:
                more |= AccountSetup(config, reloads).table()
            yield await _opened(
                stack, configuration, clock, journal, alerts, refusals, more, keeper_apart
            )


async def _opened(
    stack: AsyncExitStack,
    configuration: Configuration,
    clock: Clock,
    journal: Journal,
    alerts: AlertManager,
    refusals: RefusalLog | None,
    more_verbs: Mapping[str, Verb],
    keeper_apart: bool,
) -> Relay:
    """Open and start everything, to be closed with the stack."""
    settings = configuration.settings
    with as_cannot_start():
        rooms = await _rooms(
            stack, settings, clock, journal, LOCK_PATIENCE, sends=True, apart=keeper_apart
        )
        verbs = _verbs(rooms, rooms.queue, settings, clock, alerts)
        verbs |= {**_live_verbs(rooms, settings, journal, clock), **more_verbs}
        monitoring = Monitoring(asking(verbs), settings.health, clock)
        journal.add(monitoring.hear)
        identities = Identities(rooms.tokens)
        console = _console(verbs, configuration, alerts, monitoring, identities, journal, clock)
        verbs |= console.table() if console else {"console-link": console_off}
        control = ControlServer(
            settings.control_socket, verbs, journal, clock, settings.control_group
        )
        await stack.enter_async_context(control)
    tasks = await stack.enter_async_context(asyncio.TaskGroup())
    watching = tasks.create_task(alerts.run(journal, _Watched(rooms)), name="alerts")
    stack.callback(watching.cancel)
    _start_background(stack, tasks, rooms, settings)
    webs = await stack.enter_async_context(AsyncExitStack())  # closed after the SMTP server
    if refusals:
        stack.push_async_callback(refusals.flush, rooms.spool, journal)
        noting = tasks.create_task(refusals.run(rooms.spool, journal), name="refusals")
        stack.callback(noting.cancel)
    with as_cannot_start():
        server = _server(settings, rooms, clock, journal)
        await server.start()
        stack.push_async_callback(server.stop, settings.shutdown_grace)
        await _pick_up(stack, tasks, rooms, settings, clock, journal)
    configuration.addresses = server.addresses
    metrics: MetricsServer | None = None
    if settings.metrics:
        metrics = MetricsServer(settings.metrics, monitoring, journal, clock)
    for web in (one for one in (console, metrics) if one):
        await web.open()
        serving = tasks.create_task(web.run(), name="web")
        webs.callback(serving.cancel)
    stack.callback(monitoring.leave)
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
        metrics,
        monitoring,
    )


@asynccontextmanager
async def verbs_without_daemon(settings: RelaySettings) -> AsyncIterator[Mapping[str, Verb]]:
    """The verbs of the control socket, carried out by this process: it does not listen, and sends
    no mail. Raises `CannotStart`."""
    clock = SystemClock()
    journal = Journal(clock)
    async with AsyncExitStack() as stack:
        with as_cannot_start():
            rooms = await _rooms(stack, settings, clock, journal)
        alerts = AlertManager(settings.hostname, settings.thresholds, settings.channels, clock)
        yield _verbs(rooms, IdleQueue(rooms.spool), settings, clock, alerts)


# --- Opening --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rooms:
    """What runs before clients can connect."""

    tls: SSLContext
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
    shared: "PostgresSpool | None"
    """The spool, if several relays share it."""


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

    async def is_ours(
        self, kind: str, subject: str, *, over: bool, repeat_after: timedelta
    ) -> bool:
        """Rather twice than not at all, while the database is away."""
        shared = self._rooms.shared
        if shared is None:
            return True
        try:
            return await shared.alerts.is_ours(kind, subject, over=over, repeat_after=repeat_after)
        except StorageUnavailable:
            return True


async def _rooms(
    stack: AsyncExitStack,
    settings: RelaySettings,
    clock: Clock,
    journal: Journal,
    patience: timedelta = timedelta(0),
    *,
    sends: bool = False,
    apart: bool = False,
) -> _Rooms:
    tls = client_context(settings.ca_file)
    opening = _spool(settings, clock, journal, patience, sends=sends)
    spool = await stack.enter_async_context(opening)
    shared = None if isinstance(spool, SqliteSpool) else spool
    keeper = _keeper(settings, shared, tls, clock, apart=apart)
    if shared and sends:
        await _check_key(keeper)
    tokens = TokenManager(settings.accounts, settings.token_cloud, keeper, clock, journal)
    stack.push_async_callback(tokens.aclose)
    if shared:
        _follow(shared, tokens)
    cloud, proxy = settings.cloud, settings.proxy
    graph = GraphClient(cloud, tls, tokens, tokens.user_of, clock, proxy=proxy)
    stack.push_async_callback(graph.aclose)
    limits = RequestLimits(
        clock,
        journal,
        fixed=settings.max_mime_request,
        largest=settings.largest_mime_request,
        directory=settings.state_directory,
    )
    queue, reporter = _queue_and_reporter(settings, spool, tokens, graph, limits, clock, journal)
    reception = _reception(settings, spool, queue, clock, journal)
    leftovers = StaleDrafts(spool, graph, clock, journal)
    bounces = NdrPoll(graph, spool, lambda: tokens.accounts, clock, journal)
    return _Rooms(
        tls,
        tokens,
        graph,
        spool,
        queue,
        limits,
        reception,
        Transcripts(),
        leftovers,
        bounces,
        reporter,
        shared,
    )


def _spool(
    settings: RelaySettings, clock: Clock, journal: Journal, patience: timedelta, *, sends: bool
) -> "AbstractAsyncContextManager[SqliteSpool | PostgresSpool]":
    """The embedded spool, or the one that several relays share. Raises `OSError`,
    `SpoolUrlUnusable`."""
    directory, shared = settings.state_directory, settings.shared_spool
    if shared is None:
        return SqliteSpool.open(
            directory, clock, journal, patience=patience, keep_messages=settings.keep_messages
        )
    from graphrelay.spool.postgres import PostgresSpool  # psycopg is not everywhere

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # for the control socket
    return PostgresSpool.open(
        shared.read_url(),
        clock,
        journal,
        host=settings.hostname,
        sends=sends,
        keep_messages=settings.keep_messages,
        lease=shared.lease,
        request_limit=shared.request_limit,
    )


def _keeper(
    settings: RelaySettings,
    shared: "PostgresSpool | None",
    tls: SSLContext,
    clock: Clock,
    *,
    apart: bool,
) -> Keeper:
    """Where relays share a vault, each keeps it itself, over the connections to the database that
    it has."""
    local = KeeperSettings(
        state_directory=settings.state_directory,
        token_cloud=settings.token_cloud,
        ca_file=settings.ca_file,
        proxy_url=settings.proxy_url,
        vault_backend=settings.vault_backend,
        is_the_service=is_the_service(),
    )
    if apart and not shared:
        return KeeperApart(local)
    from graphrelay.daemon.keeper_process import keeper_here, shared_keeper  # 15 MB

    if shared:
        return shared_keeper(local, shared.secrets, tls, clock)
    return keeper_here(local, tls, clock)


async def _check_key(keeper: Keeper) -> None:
    """A relay whose key is not that of the others would take lanes and send nothing. Raises
    `CannotStart`."""
    try:
        await asyncio.to_thread(keeper.vault.contents, ())
    except VaultFailure as failure:
        raise CannotStart(str(failure)) from failure


def _follow(shared: "PostgresSpool", tokens: TokenManager) -> None:
    """What any relay does to an authorization holds for all of them."""

    def changed(service: str, name: str) -> None:
        if service == SERVICE:
            tokens.changed_elsewhere(name)

    shared.secrets.on_change(changed)


def _queue_and_reporter(
    settings: RelaySettings,
    spool: Spool,
    tokens: TokenManager,
    graph: GraphClient,
    limits: RequestLimits,
    clock: Clock,
    journal: Journal,
) -> tuple[QueueManager, Reporter]:
    """The queue, with what delivers its mail and reports on it. Lanes resume when an authorization
    works again."""
    policy = settings.policy
    uncertain = policy.on_uncertain
    options = tokens.options
    dispatcher = Dispatcher(outgoing, spool, options, uncertain, clock, journal, limits)
    reports = settings.reports
    reporter = Reporter(spool, clock, journal, reports, settings.hostname)
    courier = Courier(spool, graph, dispatcher, clock, journal, policy, random.random, reporter)
    take_over = TakeOver(spool, graph, journal, settings.backups)
    queue = QueueManager(spool, courier, clock, journal, policy, take_over)
    tokens.on_change(lambda account: queue.resume(account, "its authorization works"))
    return queue, reporter


def _reception(
    settings: RelaySettings, spool: Spool, queue: QueueManager, clock: Clock, journal: Journal
) -> MailReception:
    return MailReception(
        spool=spool,
        queue=queue,
        table=settings.table,
        journal=journal,
        clock=clock,
        hostname=settings.hostname,
        max_message_size=settings.max_message_size,
    )


def _start_background(
    stack: AsyncExitStack, tasks: asyncio.TaskGroup, rooms: _Rooms, settings: RelaySettings
) -> None:
    """Start the background tasks, to be ended before the disk is closed."""
    background = [
        tasks.create_task(rooms.tokens.run(), name="tokens"),
        tasks.create_task(rooms.bounces.run(), name="bounces"),
        tasks.create_task(rooms.spool.keep_house(settings.log_keep), name="spool"),
        tasks.create_task(rooms.leftovers.run(), name="leftovers"),
        tasks.create_task(rooms.reporter.run(rooms.queue.add), name="reports"),
    ]
    if rooms.shared:
        background.append(tasks.create_task(rooms.tokens.follow(), name="authorizations"))
    for task in background:
        stack.callback(task.cancel)
    carrying = tasks.create_task(rooms.queue.run(), name="queue")

    async def finish() -> None:
        await rooms.queue.drain(settings.shutdown_grace)
        await carrying

    stack.push_async_callback(finish)


async def _pick_up(
    stack: AsyncExitStack,
    tasks: asyncio.TaskGroup,
    rooms: _Rooms,
    settings: RelaySettings,
    clock: Clock,
    journal: Journal,
) -> None:
    """Accept mail from the drop folder from now on."""
    directory = settings.drop_directory
    if directory is None:
        if await asyncio.to_thread(DropFolder.is_left_alone, USUAL):
            remedy = f'set [drop] directory = "{USUAL}", or mail in it is never sent'
            journal.write(events.DropNotRead(directory=USUAL, remedy=remedy))
        return
    folder = await asyncio.to_thread(DropFolder.open, directory)
    stack.callback(folder.close)
    pickup = Pickup(folder, rooms.reception, settings.drop_listener, journal, clock)
    picking_up = tasks.create_task(pickup.run(), name="drop")

    async def finish() -> None:
        pickup.stop()
        await picking_up

    stack.push_async_callback(finish)


def _server(settings: RelaySettings, rooms: _Rooms, clock: Clock, journal: Journal) -> Server:
    return Server(
        settings.listeners,
        settings.limits,
        settings.hostname,
        settings.logins,
        rooms.reception,
        journal,
        clock,
        transcribed=settings.transcripts,
        transcripts=rooms.transcripts,
    )


def _verbs(
    rooms: _Rooms, queue: QueueVerbs, settings: RelaySettings, clock: Clock, alerts: AlertManager
) -> dict[str, Verb]:
    configured = Configured(lambda: rooms.tokens.accounts, lambda: rooms.reception.routes)
    content = ContentVerbs(rooms.spool).table()
    mail = MailVerbs(rooms.spool, queue, configured, clock).table()
    authorizations = AuthorizationVerbs(rooms.tokens).table()
    scope = ScopeVerbs(rooms.tokens, rooms.graph).table()
    scope |= HeaderVerbs(rooms.tokens, rooms.graph).table()
    vault = VaultVerbs(rooms.tokens, settings.vault_backend).table()
    doctor = DoctorVerbs(_reachable(rooms, settings, clock)).table()
    return mail | content | authorizations | scope | vault | doctor | AlertVerbs(alerts).table()


def _reachable(rooms: _Rooms, settings: RelaySettings, clock: Clock) -> Reachable:
    """Microsoft, as the lanes reach it."""
    return Reachable(
        graph_url=settings.cloud.graph_url,
        endpoint=Endpoint(rooms.tls, settings.proxy, Timeouts()),
        tokens=rooms.tokens,
        limits=rooms.limits,
        clock=clock,
    )


def _live_verbs(
    rooms: _Rooms, settings: RelaySettings, journal: Journal, clock: Clock
) -> dict[str, Verb]:
    listener = settings.listeners[0].address if settings.listeners else ""
    live = LiveVerbs(
        rooms.reception,
        rooms.spool,
        rooms.queue,
        rooms.limits,
        listener,
        rooms.transcripts,
        clock,
    )
    resend = ResendVerb(rooms.spool, rooms.reception, journal, clock)
    return live.table() | resend.table()


def _console(
    verbs: Mapping[str, Verb],
    configuration: Configuration,
    alerts: AlertManager,
    monitoring: Monitoring,
    identities: Identities,
    journal: Journal,
    clock: Clock,
) -> Console | None:
    """The pages over these verbs, not listening yet."""
    options = configuration.settings.console
    if options is None:
        return None
    console = Console(
        options,
        verbs,
        configuration.shown,
        lambda: alerts.status,
        monitoring,
        identities,
        journal,
        clock,
        configuration.settings.hostname,
    )
    journal.add(console.hear)
    return console


def log_sink(settings: RelaySettings) -> Sink:
    """Standard error, which systemd keeps, in the style of `[log]`."""
    return stream_sink(style=settings.log_format, level=settings.log_level)


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
        SpoolUrlUnusable,
        StorageUnavailable,
    ) as error:
        raise CannotStart(str(error)) from error
