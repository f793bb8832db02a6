"""Real delivery: a spool on a disk, Graph over TLS in the sandbox, and a clock that the test moves.
Only the tokens are issued without a sign-in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from graphrelay.graph.base64stream import REQUEST
from graphrelay.graph.client import GraphClient
from graphrelay.graph.clouds import custom_cloud
from graphrelay.graph.http.exchange import Timeouts
from graphrelay.graph.tls import client_context
from graphrelay.journal import Entry, Journal
from graphrelay.model import (
    Address,
    Envelope,
    Lane,
    NewMessage,
    Origin,
    Plan,
    QueueEntry,
    Submission,
)
from graphrelay.oauth.scenario import AccountOptions
from graphrelay.relay.deliver.courier import Courier
from graphrelay.relay.deliver.dispatcher import Dispatcher
from graphrelay.relay.deliver.request_limits import RequestLimits
from graphrelay.relay.deliver.result import Answered, DeliveryResult
from graphrelay.relay.deliver.stale_drafts import StaleDrafts
from graphrelay.relay.outgoing.as_mime import outgoing
from graphrelay.relay.policy.reporting import ReportPolicy
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.relay.queue.manager import QueueManager
from graphrelay.relay.reports.reporter import Reporter
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT
from graphrelay.sandbox.mailbox_items import Mail
from graphrelay.spool.contract import Spool
from graphrelay.spool.sqlite import SqliteSpool
from tests.clock import FakeClock

WP = Lane("website", "wp@contoso.com")
INFO = Lane("website", "info@contoso.com")
NO_REPORTS = ReportPolicy(to="nobody")
LARGEST_TRIED = 50_000_000
"""Octets of base64 that are tried where the limit is "auto"."""
QUICK = Timeouts(answer=timedelta(seconds=5))


class AppTokens:
    """Real tokens of the sandbox's application, with its current roles."""

    def __init__(self, cloud: Sandbox) -> None:
        self._cloud = cloud
        self._token = ""

    async def bearer_token(self, account: str, *, refused: str = "", challenge: str = "") -> str:
        app = self._cloud.directory.app(CONFIDENTIAL_CLIENT)
        assert app is not None
        if refused or not self._token:
            self._token = self._cloud.tokens.for_app(app, app.tenant_id).token
        return self._token


class WatchedCourier(Courier):
    """Signals when an attempt has ended."""

    ended = 0
    changed: asyncio.Event

    async def carry(
        self,
        waiting: QueueEntry,
        answered: Callable[[Answered], None],
    ) -> DeliveryResult:
        carried = await super().carry(waiting, answered)
        self.ended += 1
        self.changed.set()
        return carried


class Delivery:
    """One life of the relay's delivery side; `restarted` makes the next on the same disk."""

    def __init__(
        self,
        cloud: Sandbox,
        spool: Spool,
        clock: FakeClock,
        policy: DeliveryPolicy,
        entries: list[Entry],
        options: AccountOptions,
        reports: ReportPolicy,
        limits: RequestLimits,
    ) -> None:
        self.cloud = cloud
        self.spool = spool
        self.clock = clock
        self.entries = entries
        self.journal = Journal(clock, entries.append)
        tls = client_context(cloud.ca_file)
        hosts = custom_cloud(cloud.login_url, cloud.graph_url)
        tokens = AppTokens(cloud)
        self.graph = GraphClient(
            hosts, tls, tokens, lambda lane: lane.mailbox, clock, timeouts=QUICK
        )
        self.dispatcher = Dispatcher(
            outgoing,
            spool,
            lambda account: options,
            policy.on_uncertain,
            clock,
            self.journal,
            limits,
        )
        self.stale_drafts = StaleDrafts(spool, self.graph, clock, self.journal)
        self.reporter = Reporter(spool, clock, self.journal, reports, "relay.example.org")
        self.courier = WatchedCourier(
            spool,
            self.graph,
            self.dispatcher,
            clock,
            self.journal,
            policy,
            lambda: 0.0,
            self.reporter,
        )
        self.courier.changed = asyncio.Event()
        self.queue = QueueManager(spool, self.courier, clock, self.journal, policy)

    async def accept(
        self,
        number: int,
        *,
        lane: Lane = WP,
        to: str = "you@example.org",
        body: bytes = b"Hello\r\n",
        message_id: str = "",
        sender: Address | None = None,
        header: str = "",
        null_sender: bool = False,
        plan: Plan | None = None,
        besides: tuple[Address, ...] = (),
    ) -> Submission:
        """A message as reception would put it; `body` begins with what follows `header`."""
        message_id = message_id or f"<{number}@contoso.com>"
        head = f"From: {lane.mailbox}\r\nTo: {to}\r\nSubject: {number}\r\n"
        head += f"Message-ID: {message_id}\r\n{header}\r\n"
        incoming = self.spool.incoming()
        await incoming.write(head.encode() + body)
        paths = (Address.parse(to), *besides)
        reverse_path = None if null_sender else sender or Address.parse(lane.mailbox)
        new = NewMessage(
            envelope=Envelope(reverse_path, paths),
            origin=Origin("127.0.0.1:2525", "127.0.0.1"),
            received_at=self.clock.now(),
            message_id=message_id,
            subject=str(number),
            prefix=b"",
            parts=((plan or Plan(route="default", lane=lane), paths),),
        )
        [one] = await self.spool.accept(new, incoming)
        self.queue.add([QueueEntry.of(one)])
        return one

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait for attempts to end until the condition holds."""
        async with asyncio.timeout(30):
            while not ready():
                self.courier.changed.clear()
                await self.courier.changed.wait()

    async def ended(self, attempts: int) -> None:
        """Wait until this many attempts have ended in all."""
        await self.until(lambda: self.courier.ended >= attempts)

    def told(self, *names: str) -> list[str]:
        return [entry.event for entry in self.entries if not names or entry.event in names]

    @property
    def submitted(self) -> list[Mail]:
        return self.cloud.mailboxes.submitted

    @property
    def doubles(self) -> int:
        """How often a message was submitted more than once."""
        return sum(count - 1 for count in self.cloud.mailboxes.submissions.values())


@asynccontextmanager
async def delivering(
    cloud: Sandbox,
    directory: Path,
    policy: DeliveryPolicy = DeliveryPolicy(),  # noqa: B008 (frozen)
    clock: FakeClock | None = None,
    entries: list[Entry] | None = None,
    options: AccountOptions = AccountOptions(),  # noqa: B008 (frozen)
    reports: ReportPolicy = NO_REPORTS,
    largest_request: int | None = REQUEST,
) -> AsyncIterator[Delivery]:
    clock = clock or FakeClock(cloud.now())
    entries = entries if entries is not None else []
    async with AsyncExitStack() as stack:
        journal = Journal(clock, entries.append)
        spool = await stack.enter_async_context(
            SqliteSpool.open(directory, clock, journal, reserve=0)
        )
        limits = RequestLimits(
            clock, journal, fixed=largest_request, largest=LARGEST_TRIED, directory=directory
        )
        delivery = Delivery(cloud, spool, clock, policy, entries, options, reports, limits)
        stack.push_async_callback(delivery.graph.aclose)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        tasks.create_task(delivery.queue.run())
        merging = tasks.create_task(delivery.reporter.run(delivery.queue.add))
        stack.callback(merging.cancel)
        await delivery.queue.recovered.wait()
        stack.push_async_callback(delivery.queue.drain, timedelta(0))
        yield delivery
