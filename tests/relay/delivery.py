"""Stand-ins for the rooms that delivery depends on: a spool in memory, and a Graph that follows a
script."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

from graphrelay.graph.session import Json, MailboxSession, Mime
from graphrelay.journal import Entry, Journal
from graphrelay.model import (
    Address,
    Answer,
    Attempt,
    Delayed,
    Envelope,
    Failed,
    InlineBody,
    Lane,
    NewMessage,
    NextState,
    Origin,
    Outcome,
    Paused,
    Plan,
    QueueEntry,
    Relayed,
    Submission,
    Trouble,
    Uncertain,
)
from graphrelay.oauth.answers import NotGranted, outcome_without_token
from graphrelay.oauth.scenario import AccountOptions
from graphrelay.relay.deliver.courier import Courier
from graphrelay.relay.deliver.dispatcher import Dispatcher
from graphrelay.relay.deliver.request_limits import RequestLimits
from graphrelay.relay.outgoing.as_mime import outgoing
from graphrelay.relay.outgoing.method import Compose
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.relay.queue.manager import QueueManager
from graphrelay.spool.codec import OUTCOME, microseconds, moment
from graphrelay.spool.contract import Report
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.sqlite.files.bodies import Kept
from graphrelay.spool.sqlite.statements.put import Deposit, Depositor
from graphrelay.spool.values import Divided, state_of
from tests.clock import FakeClock, settle
from tests.spool.memory import MemorySpool

ACCOUNT = "website"
LANE = Lane(ACCOUNT, "wp@contoso.com")
INFO = Lane(ACCOUNT, "info@contoso.com")
ALERTS = Lane("alerts", "alerts@contoso.com")

RELAYED = Relayed(answer=Answer(http_status=202, request_id="abc"))
BUSY = Delayed(status="4.3.2", reason="Exchange is busy", answer=Answer(http_status=503))
REFUSED = Failed(status="5.1.3", reason="Exchange refused the address of a recipient")
LOST = Uncertain(reason="the connection broke")
FULL = Paused(trouble=Trouble.QUOTA, status="4.2.2", reason="the sending mailbox is full")
DENIED = Paused(
    trouble=Trouble.AUTHORIZATION, status="4.7.0", reason="Graph refused the access token"
)


def throttled(seconds: float) -> Delayed:
    return replace(BUSY, status="4.4.5", retry_after=timedelta(seconds=seconds))


def submission(number: int, lane: Lane = LANE, received_at: datetime | None = None) -> Submission:
    return Submission(
        id=number,
        queue_id=f"Q{number}",
        envelope=Envelope(Address("wp", "contoso.com"), (Address("a", "example.org"),)),
        origin=Origin("127.0.0.1:2525", "127.0.0.1"),
        plan=Plan(route="default", lane=lane),
        received_at=received_at or FakeClock().now(),
        message_id=f"<{number}@contoso.com>",
        prefix=b"",
        body=InlineBody(b"From: wp@contoso.com\r\nTo: a@example.org\r\n\r\nHello\r\n"),
        attempts=0,
    )


# --- Spool ---------------------------------------------------------------------------------------


class ScriptedSpool(MemorySpool):
    """A spool in memory that fails and waits where the test requests it."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.entries: list[Entry] = []
        super().__init__(self.clock, Journal(self.clock, self.entries.append))
        self.begun: list[tuple[int, str]] = []
        """Every attempt that was ever begun: submission, and client-request-id."""
        self.marked: list[int] = []
        """Every submission that was marked before it was read to be sent."""
        self.before_begin: Callable[[int], Awaitable[object]] | None = None
        self.before_finish: Callable[[int], Awaitable[object]] | None = None

    def put(self, one: Submission, not_before: datetime | None = None) -> QueueEntry:
        """As `accept`, with numbers chosen by the test."""
        for table in ("messages", "submissions"):
            self.connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            self.connection.execute(
                "INSERT INTO sqlite_sequence VALUES (?, ?)", (table, one.id - 1)
            )
        new = NewMessage(
            envelope=one.envelope,
            origin=one.origin,
            received_at=one.received_at,
            message_id=one.message_id,
            subject="",
            prefix=one.prefix,
            parts=((one.plan, one.envelope.forward_paths),),
        )
        kept = Kept(one.body.read(0, one.body.size))
        deposit = Deposit(new, kept, self.clock.now())
        depositor = Depositor(self.connection, self.folder)
        [[found]] = depositor.put(DatabaseTransaction(self.connection), [deposit])
        due = microseconds(not_before or one.received_at)
        self.connection.execute("UPDATE submissions SET not_before = ? WHERE id = ?", (due, one.id))
        name = (one.queue_id, one.id)
        self.connection.execute("UPDATE messages SET queue_id = ? WHERE id = ?", name)
        return QueueEntry.of(found)

    def state(self, number: int) -> NextState:
        state, not_before, reason = self.connection.execute(
            "SELECT state, not_before, reason FROM submissions WHERE id = ?", (number,)
        ).fetchone()
        return state_of(state, None if not_before is None else moment(not_before), reason)

    def history(self, number: int) -> list[Attempt]:
        """Its finished attempts."""
        rows = self.connection.execute(
            """SELECT number, started_at, at, outcome FROM log
               WHERE submission = ? AND number IS NOT NULL ORDER BY id""",
            (number,),
        )
        return [
            Attempt(
                number=attempt,
                started_at=moment(started_at),
                finished_at=moment(at),
                outcome=OUTCOME.value(outcome),
            )
            for attempt, started_at, at, outcome in rows
        ]

    def outcomes(self, number: int) -> list[str]:
        return [type(attempt.outcome).__name__ for attempt in self.history(number)]

    def in_flight(self) -> set[int]:
        return {row for (row,) in self.connection.execute("SELECT submission FROM in_flight")}

    async def load_to_send(self, entry: QueueEntry) -> Submission:
        found = await super().load_to_send(entry)
        self.marked.append(entry.submission_id)
        return found

    async def begin(
        self, submission: Submission, started_at: datetime, client_request_id: str
    ) -> int:
        if self.before_begin:
            await self.before_begin(submission.id)
        number = await super().begin(submission, started_at, client_request_id)
        self.begun.append((submission.id, client_request_id))
        return number

    async def finish(
        self,
        submission: Submission,
        attempt: Attempt,
        following: NextState | Divided,
        report: Report | None = None,
    ) -> tuple[Submission, ...]:
        if self.before_finish:
            await self.before_finish(submission.id)
        return await super().finish(submission, attempt, following, report)


# --- Graph ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    lane: Lane
    octets: bytes
    client_request_id: str


Said = Outcome | BaseException


class ScriptedGraph:
    """Answers in the order of `say`, then `usually`. Waits for `gate` if there is one."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.left: list[Lane] = []
        self.without_token: dict[str, NotGranted] = {}
        """Accounts for which there is no token."""
        self.usually: Said = RELAYED
        self.gate: asyncio.Event | None = None
        self.in_flight = 0
        self.most_in_flight = 0
        self._at_the_gate: deque[asyncio.Event] = deque()
        self._script: deque[Said] = deque()
        self._by_lane: dict[Lane, Said] = {}

    def say(self, *answers: Said) -> None:
        self._script.extend(answers)

    def say_in(self, lane: Lane, answer: Said) -> None:
        self._by_lane[lane] = answer

    async def session(self, lane: Lane) -> MailboxSession | Paused | Delayed:
        if answer := self.without_token.get(lane.account):
            return outcome_without_token(lane.account, answer)
        return cast(MailboxSession, _ScriptedSession(self, lane))

    def close_lane(self, lane: Lane) -> None:
        self.left.append(lane)

    async def let_go(self, count: int) -> None:
        """Answer the oldest `count` that wait at the gate; it stays closed for the others."""
        for _ in range(count):
            self._at_the_gate.popleft().set()
        await settle()

    async def answers(self, gate: asyncio.Event) -> None:
        """Return when it is open, or this one is released."""
        mine = asyncio.Event()
        self._at_the_gate.append(mine)
        waits = [asyncio.ensure_future(event.wait()) for event in (gate, mine)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def answer(self, sent: Sent) -> Outcome:
        usually = self._by_lane.get(sent.lane, self.usually)
        said = self._script.popleft() if self._script else usually
        if isinstance(said, BaseException):
            raise said
        return said

    @property
    def order(self) -> list[str]:
        """Which messages were sent, in order."""
        return [f"{sent.lane.mailbox}" for sent in self.sent]


@dataclass
class _ScriptedSession:
    """The part of a `MailboxSession` that mail in one request needs."""

    graph: ScriptedGraph
    lane: Lane
    client_request_id: str = field(default_factory=lambda: str(uuid4()))

    async def send(self, content: Mime | Json) -> Outcome:
        octets = b"".join([chunk async for chunk in content.octets.chunks()])
        graph = self.graph
        graph.in_flight += 1
        graph.most_in_flight = max(graph.most_in_flight, graph.in_flight)
        try:
            sent = Sent(self.lane, octets, self.client_request_id)
            graph.sent.append(sent)
            if graph.gate is not None:
                await graph.answers(graph.gate)
            return graph.answer(sent)
        finally:
            graph.in_flight -= 1

    def take_spent(self) -> tuple[int, int]:
        return 1, 1_000


# --- All of it -----------------------------------------------------------------------------------


class Post:
    """A QueueManager over stand-ins, and the clock that moves it."""

    def __init__(
        self,
        policy: DeliveryPolicy = DeliveryPolicy(),  # noqa: B008 (frozen)
        spool: ScriptedSpool | None = None,
        clock: FakeClock | None = None,
        compose: Compose = outgoing,
    ) -> None:
        self.spool = spool or ScriptedSpool(clock)
        self.clock = self.spool.clock
        self.entries = self.spool.entries
        self.journal = Journal(self.clock, self.entries.append)
        self._policy = policy
        self._compose = compose
        self.use(ScriptedGraph())

    def use(self, graph: "ScriptedGraph") -> None:
        """Another Graph, before anything runs."""
        self.graph = graph
        policy = self._policy
        dispatcher = Dispatcher(
            self._compose,
            self.spool,
            lambda account: AccountOptions(),
            policy.on_uncertain,
            self.clock,
            self.journal,
            RequestLimits(self.clock, self.journal),
        )
        self.courier = Courier(
            self.spool,
            graph,
            dispatcher,
            self.clock,
            self.journal,
            policy,
            lambda: 0.0,
        )
        self.queue = QueueManager(self.spool, self.courier, self.clock, self.journal, policy)

    def take(self, *numbers: int, lane: Lane = LANE, received_at: datetime | None = None) -> None:
        """New mail, as the SMTP server would pass it on."""
        when = received_at or self.clock.now()
        self.queue.add([self.spool.put(submission(number, lane, when)) for number in numbers])

    def events(self, *names: str) -> list[Entry]:
        return [entry for entry in self.entries if not names or entry.event in names]

    def told(self, *names: str) -> list[str]:
        return [entry.event for entry in self.events(*names)]


@asynccontextmanager
async def running(post: Post) -> AsyncIterator[Post]:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(post.queue.run())
        await settle()
        yield post
        if post.graph.gate:
            post.graph.gate.set()
        await post.queue.drain(timedelta(seconds=1))
