"""Stand-ins for the rooms that delivery rests on: a spool in memory, and a Graph that answers as
its script says."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import uuid4

from graphrelay.graph.session import Json, MailboxSession, Mime
from graphrelay.journal import Entry, Journal
from graphrelay.model import (
    Address,
    Answer,
    Attempt,
    Delayed,
    DraftProgress,
    Envelope,
    Failed,
    Held,
    IncomingBody,
    InlineBody,
    Lane,
    NewMessage,
    Next,
    Origin,
    Outcome,
    Paused,
    Plan,
    Queued,
    Relayed,
    StorageUnavailable,
    Submission,
    Trouble,
    Uncertain,
    Waiting,
)
from graphrelay.oauth.answers import NotGranted, outcome_without_token
from graphrelay.oauth.scenario import AccountOptions
from graphrelay.relay.deliver.courier import Courier
from graphrelay.relay.deliver.dispatcher import Dispatcher
from graphrelay.relay.outgoing.as_mime import outgoing
from graphrelay.relay.outgoing.method import Compose
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.relay.queue.manager import QueueManager
from graphrelay.spool.errors import MailLost, NotQueued
from graphrelay.spool.values import Changed, Interrupted, MessageHistory, Refused, Verdict
from tests.clock import FakeClock, settle

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


@dataclass
class _Kept:
    submission: Submission
    state: Next
    mark: tuple[int, datetime, str] | None = None
    history: list[Attempt] = field(default_factory=list)


class MemorySpool:
    """Keeps the spool's promises, in memory: `crash` forgets nothing but what was not written."""

    def __init__(self) -> None:
        self.kept: dict[int, _Kept] = {}
        self.trouble: StorageUnavailable | None = None
        self.begun: list[tuple[int, str]] = []
        """Every attempt that was ever begun: submission, and client-request-id."""
        self.loaded: list[int] = []
        self.read: list[int] = []
        """Every message that was marked before it was read to be sent."""
        self.deadly: set[int] = set()
        """Those that too many processes have not survived."""
        self.before_begin: Callable[[int], Awaitable[object]] | None = None
        self.before_finish: Callable[[int], Awaitable[object]] | None = None

    def put(self, one: Submission, not_before: datetime | None = None) -> Waiting:
        due = not_before or one.received_at
        self.kept[one.id] = _Kept(one, Queued(due))
        return Waiting(one.id, one.plan.lane, one.received_at, due)

    def state(self, number: int) -> Next:
        return self.kept[number].state

    def outcomes(self, number: int) -> list[str]:
        return [type(attempt.outcome).__name__ for attempt in self.kept[number].history]

    async def interrupted(self) -> list[Interrupted]:
        return [
            Interrupted(
                submission_id=number,
                queue_id=kept.submission.queue_id,
                number=kept.mark[0],
                started_at=kept.mark[1],
                client_request_id=kept.mark[2],
            )
            for number, kept in self.kept.items()
            if kept.mark
        ]

    async def waiting(self) -> list[Waiting]:
        return [
            self._waiting(kept)
            for kept in self.kept.values()
            if isinstance(kept.state, Queued) and kept.mark is None
        ]

    async def load(self, submission_id: int) -> Submission:
        kept = self._open(submission_id)
        self.loaded.append(submission_id)
        return replace(kept.submission, attempts=len(kept.history))

    async def begin_reading(self, submission_id: int) -> None:
        self._open(submission_id)
        if submission_id in self.deadly:
            raise MailLost("held")
        self.read.append(submission_id)

    async def begin_attempt(
        self, submission_id: int, started_at: datetime, client_request_id: str
    ) -> int:
        if self.before_begin:
            await self.before_begin(submission_id)
        kept = self._open(submission_id)
        if not isinstance(kept.state, Queued) or kept.mark:
            raise NotQueued(str(submission_id))
        kept.mark = (len(kept.history) + 1, started_at, client_request_id)
        self.begun.append((submission_id, client_request_id))
        return kept.mark[0]

    def incoming(self) -> IncomingBody:
        raise AssertionError("nobody reports here")

    async def finish_attempt(
        self,
        submission_id: int,
        attempt: Attempt,
        next: Next,
        report: tuple[NewMessage, IncomingBody] | None = None,
    ) -> tuple[Submission, ...]:
        assert report is None
        if self.before_finish:
            await self.before_finish(submission_id)
        if self.trouble:
            raise self.trouble
        kept = self.kept[submission_id]
        assert kept.mark is not None
        assert kept.mark[0] == attempt.number
        kept.mark, kept.state = None, next
        kept.history.append(attempt)
        return ()

    async def divide(
        self,
        submission_id: int,
        attempt: Attempt,
        following: Queued,
        pieces: tuple[tuple[Address, ...], ...],
    ) -> tuple[Waiting, ...]:
        raise AssertionError("nobody is refused among others here")

    async def keep_draft(self, submission_id: int, progress: DraftProgress) -> None:
        raise AssertionError("nobody makes drafts here")

    async def forget_draft(self, submission_id: int, draft: str) -> None:
        raise AssertionError("nobody makes drafts here")

    async def show(self, queue_id: str) -> MessageHistory | None:
        raise AssertionError("nobody may look here")

    async def hold(self, which: str | int, reason: str) -> Verdict:
        return self._change(which, Queued, Held(reason))

    async def release(self, which: str | int, not_before: datetime, reason: str = "") -> Verdict:
        return self._change(which, Held, Queued(not_before))

    async def retry_now(self, which: str | int, not_before: datetime, reason: str = "") -> Verdict:
        return self._change(which, Queued, Queued(not_before))

    async def delete(self, which: str | int, reason: str) -> Verdict:
        verdict = self._change(which, (Queued, Held), self.kept[int(which)].state)
        if isinstance(verdict, Changed):
            del self.kept[int(which)]
        return verdict

    def _change(self, which: str | int, allowed: Any, to: Next) -> Verdict:
        kept = self.kept[int(which)]
        if kept.mark:
            return Refused("in flight", "It is on its way.")
        if not isinstance(kept.state, allowed):
            return Refused("done", "Not possible.")
        kept.state = to
        return Changed((self._waiting(kept),))

    def _waiting(self, kept: _Kept) -> Waiting:
        one = kept.submission
        due = kept.state.not_before if isinstance(kept.state, Queued) else one.received_at
        return Waiting(one.id, one.plan.lane, one.received_at, due)

    def _open(self, number: int) -> _Kept:
        if self.trouble:
            raise self.trouble
        if number not in self.kept:
            raise NotQueued(str(number))
        return self.kept[number]


# --- Graph ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    lane: Lane
    octets: bytes
    client_request_id: str


Said = Outcome | BaseException


class ScriptedGraph:
    """Answers in the order of `say`, then `usually`. Waits for `gate` where there is one."""

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
        """Answer the oldest `count` that wait at the gate; it stays shut for the others."""
        for _ in range(count):
            self._at_the_gate.popleft().set()
        await settle()

    async def answers(self, gate: asyncio.Event) -> None:
        """Return when it is open, or this one is let go."""
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
        """Message-IDs would do as well: who was sent, in order."""
        return [f"{sent.lane.mailbox}" for sent in self.sent]


@dataclass
class _ScriptedSession:
    """Of a `MailboxSession` what mail that goes in one request needs."""

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
        spool: MemorySpool | None = None,
        clock: FakeClock | None = None,
        compose: Compose = outgoing,
    ) -> None:
        self.clock = clock or FakeClock()
        self.spool = spool or MemorySpool()
        self.entries: list[Entry] = []
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
        """New mail, as the SMTP face would bring it."""
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
