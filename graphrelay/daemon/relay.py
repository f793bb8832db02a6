"""The running relay: opens every room, wires them, and closes them in the right order.

    vault ─▶ tokens ─┐
    spool ───────────┼─▶ courier ─▶ queue ─▶ reception ─▶ SMTP server
    graph ───────────┘                                    control socket

Opening goes from the disk outwards, so that nothing is accepted before it can be kept. Stopping
goes the other way: nobody new comes in, what is in flight ends, the spool is closed last. One
TaskGroup holds all that lives in between.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from ssl import SSLContext

from graphrelay.alerts.manager import AlertManager
from graphrelay.alerts.watch import Figures, Unreadable
from graphrelay.clock import Clock, SystemClock
from graphrelay.config import Settings
from graphrelay.control.socket.messages import Verb
from graphrelay.control.socket.server import ControlServer
from graphrelay.control.verbs.alerts import AlertVerbs
from graphrelay.control.verbs.authorizations import AuthorizationVerbs
from graphrelay.control.verbs.live import LiveVerbs
from graphrelay.control.verbs.mail import IdleQueue, MailVerbs, QueueVerbs
from graphrelay.control.verbs.scope import ScopeVerbs
from graphrelay.control.verbs.vault import VaultVerbs
from graphrelay.daemon import wiring
from graphrelay.drop import USUAL, DropFolder, DropUnusable, Pickup
from graphrelay.graph.client import GraphClient
from graphrelay.graph.http.tls import CertificatesUnreadable, client_context
from graphrelay.journal import Journal, Sink, stream_sink
from graphrelay.model import Lane, StorageUnavailable
from graphrelay.oauth.entra.msal_http import Http
from graphrelay.oauth.tokens.manager import TokenManager
from graphrelay.oauth.vault import Vault, open_vault
from graphrelay.oauth.vault.choice import Chosen
from graphrelay.relay.accept.reception import Reception
from graphrelay.relay.deliver.courier import Courier
from graphrelay.relay.deliver.dispatcher import Dispatcher, Rights, rights_in
from graphrelay.relay.deliver.ndr_poll import Bounces
from graphrelay.relay.deliver.stale_drafts import Leftovers
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


class CannotStart(Exception):  # noqa: N818 (a condition, told to the admin)
    """Something that the relay needs is not to be had; the text says what, and what to do."""


class SpoolTaken(CannotStart):
    """Another process has the spool; it may soon give it back."""


LOCK_PATIENCE = timedelta(seconds=5)
"""How long the daemon waits at its start for a command that has the spool."""


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay that runs, for those who started it."""

    tokens: TokenManager
    spool: Spool
    queue: QueueManager
    reception: Reception
    server: Server
    alerts: AlertManager
    journal: Journal

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, with the real ports."""
        return self.server.addresses

    async def reload(self, settings: Settings) -> None:
        """Go by other listeners, limits, logins, accounts, routes and alerts from now on.
        Raises `CannotStart`, and then nothing has changed."""
        table, backups = wiring.table(settings), wiring.backups(settings)
        with _told_to_the_admin():
            await self.server.reload(
                wiring.listeners(settings),
                wiring.limits(settings),
                wiring.hostname(settings),
                wiring.logins(settings),
                transcribed=settings.smtp.transcripts,
            )
        self.reception.use(table, wiring.max_message_size(settings))
        self.queue.use_backups(backups)
        self.alerts.use(wiring.thresholds(settings.alerts), wiring.ways(settings.alerts))
        # Last, and with no wait in between: it changes at once, then waits for the thread that
        # may be asking Entra. No message is routed to an account that is gone by then.
        await self.tokens.reconfigure(wiring.accounts(settings))


@asynccontextmanager
async def running(
    settings: Settings, clock: Clock | None = None, *sinks: Sink
) -> AsyncIterator[Relay]:
    """The whole relay: it listens when the block begins; when the block ends it finishes what is
    in flight, within `delivery.shutdown_grace`. `sinks` replace the configured log.

    Raises `CannotStart`.
    """
    clock = clock or SystemClock()
    alerts = wiring.alerts(settings, clock)
    journal = Journal(clock, *(sinks or (log_sink(settings),)), alerts.hear)
    with _alone():
        async with AsyncExitStack() as stack:
            yield await _opened(stack, settings, clock, journal, alerts)


async def _opened(
    stack: AsyncExitStack,
    settings: Settings,
    clock: Clock,
    journal: Journal,
    alerts: AlertManager,
) -> Relay:
    """Everything open and going, to be closed with the stack."""
    with _told_to_the_admin():
        rooms = await _rooms(stack, settings, clock, journal, LOCK_PATIENCE)
        verbs = _verbs(rooms, rooms.queue, settings, clock, alerts)
        verbs |= _live_verbs(rooms, settings, clock)
        control = ControlServer(
            wiring.control_socket(settings), verbs, journal, clock, settings.control.group
        )
        await stack.enter_async_context(control)
    tasks = await stack.enter_async_context(asyncio.TaskGroup())
    watching = tasks.create_task(alerts.run(journal, _Watched(rooms)), name="alerts")
    stack.callback(watching.cancel)
    _keep_going(stack, tasks, rooms, settings)
    with _told_to_the_admin():
        server = _server(settings, rooms, clock, journal)
        await server.start()
        stack.push_async_callback(server.stop, settings.delivery.shutdown_grace)
        await _pick_up(stack, tasks, rooms, settings, clock, journal)
    return Relay(rooms.tokens, rooms.spool, rooms.queue, rooms.reception, server, alerts, journal)


@asynccontextmanager
async def verbs_without_daemon(settings: Settings) -> AsyncIterator[Mapping[str, Verb]]:
    """The verbs of the control socket, carried out by this process; nothing listens, nothing is
    sent. Raises `CannotStart`."""
    clock = SystemClock()
    journal = Journal(clock)
    async with AsyncExitStack() as stack:
        with _told_to_the_admin():
            rooms = await _rooms(stack, settings, clock, journal)
        alerts = wiring.alerts(settings, clock)
        yield _verbs(rooms, IdleQueue(rooms.spool), settings, clock, alerts)


# --- Opening --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rooms:
    """What works before anybody can connect."""

    tokens: TokenManager
    graph: GraphClient
    spool: Spool
    queue: QueueManager
    reception: Reception
    transcripts: Transcripts
    leftovers: Leftovers
    bounces: Bounces
    reporter: Reporter


class _Watched:
    """What the alerts look at."""

    def __init__(self, rooms: _Rooms) -> None:
        self._rooms = rooms

    async def figures(self) -> Figures | Unreadable:
        try:
            stats = await self._rooms.spool.read(Count())
        except (OSError, StorageUnavailable) as error:
            return Unreadable(str(error))
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
    graph = GraphClient(cloud, tls, clock, proxy=proxy)
    stack.push_async_callback(graph.aclose)

    def rights(lane: Lane) -> Rights:
        return rights_in(tokens.accounts)(lane)  # as they are after a reload

    queue, reporter = _queue_and_reporter(settings, spool, tokens, graph, rights, clock, journal)
    reception = _reception(settings, spool, queue, clock, journal)
    leftovers = Leftovers(spool, tokens, graph, rights, clock, journal)
    bounces = Bounces(graph, tokens, spool, lambda: tokens.accounts, clock, journal)
    return _Rooms(
        tokens, graph, spool, queue, reception, Transcripts(), leftovers, bounces, reporter
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
    rights: Callable[[Lane], Rights],
    clock: Clock,
    journal: Journal,
) -> tuple[QueueManager, Reporter]:
    """With all that carries its mail, and tells of it. It goes on where an authorization works."""
    policy = wiring.policy(settings.delivery)
    largest = settings.delivery.max_mime_request
    uncertain = policy.on_uncertain
    dispatcher = Dispatcher(graph, outgoing, spool, rights, uncertain, clock, journal, largest)
    reports = wiring.reports(settings.delivery)
    reporter = Reporter(spool, clock, journal, reports, wiring.hostname(settings))
    courier = Courier(spool, tokens, dispatcher, clock, journal, policy, random.random, reporter)
    take_over = TakeOver(spool, tokens, journal, wiring.backups(settings))
    queue = QueueManager(spool, courier, clock, journal, policy, take_over)
    tokens.on_change(lambda account: queue.resume(account, "its authorization works"))
    return queue, reporter


def _reception(
    settings: Settings, spool: Spool, queue: QueueManager, clock: Clock, journal: Journal
) -> Reception:
    return Reception(
        spool=spool,
        queue=queue,
        table=wiring.table(settings),
        journal=journal,
        clock=clock,
        hostname=wiring.hostname(settings),
        max_message_size=wiring.max_message_size(settings),
    )


def _keep_going(
    stack: AsyncExitStack, tasks: asyncio.TaskGroup, rooms: _Rooms, settings: Settings
) -> None:
    """Start what lives by itself, and see to its end, which comes before the disk is closed."""
    minding = (
        tasks.create_task(rooms.tokens.run(), name="tokens"),
        tasks.create_task(rooms.bounces.run(), name="bounces"),
        tasks.create_task(rooms.spool.keep_house(settings.log.keep), name="spool"),
        tasks.create_task(rooms.leftovers.run(), name="leftovers"),
        tasks.create_task(rooms.reporter.run(rooms.queue.add), name="reports"),
    )
    for task in minding:
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
    """Take up what was left in the drop folder, from now on."""
    directory = settings.drop.directory
    if directory is None:
        if await asyncio.to_thread(DropFolder.is_left_alone, USUAL):
            remedy = f'set [drop] directory = "{USUAL}", or mail left there stays there'
            journal.warning("drop-not-read", directory=str(USUAL), remedy=remedy)
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

    mail = MailVerbs(rooms.spool, queue, clock).table()
    authorizations = AuthorizationVerbs(rooms.tokens).table()
    scope = ScopeVerbs(rooms.tokens, rooms.graph).table()
    vault = VaultVerbs(rooms.tokens, settings.vault.backend, another_place).table()
    return mail | authorizations | scope | vault | AlertVerbs(alerts).table()


def _live_verbs(rooms: _Rooms, settings: Settings, clock: Clock) -> dict[str, Verb]:
    listener = settings.smtp.listeners[0].address if settings.smtp.listeners else ""
    live = LiveVerbs(rooms.reception, rooms.spool, rooms.queue, listener, rooms.transcripts, clock)
    return live.table()


def log_sink(settings: Settings) -> Sink:
    """Where `[log]` says that lines go: standard error, which systemd keeps."""
    return stream_sink(style=settings.log.format, level=settings.log.level)


@contextmanager
def _alone() -> Iterator[None]:
    """An exception that went through the TaskGroup alone comes out as it went in."""
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None


@contextmanager
def _told_to_the_admin() -> Iterator[None]:
    """What keeps a room from opening, as the one exception that callers know."""
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
