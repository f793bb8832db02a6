"""The promises of delivery, whatever happens in whatever order.

Accepting, attempts, lost answers, throttling, revoked authorizations, full disks, people who change
the queue, clocks that jump, crashes and restarts: at the end, when all faults are over, every
message that was not deleted has been sent, and none of them twice unless a lost answer or a crash
explains it.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from graphrelay.model import (
    Done,
    Held,
    Lane,
    Outcome,
    StorageUnavailable,
    Uncertain,
)
from graphrelay.oauth.answers import EntraUnreachable, Unauthorized
from graphrelay.relay.policy.schedule import DeliveryPolicy, attempts_needed
from graphrelay.spool.changes import Changed
from tests.clock import FakeClock, settle
from tests.relay.delivery import (
    ACCOUNT,
    ALERTS,
    BUSY,
    DENIED,
    FULL,
    INFO,
    LANE,
    LOST,
    REFUSED,
    RELAYED,
    Post,
    ScriptedGraph,
    ScriptedSpool,
    Sent,
    throttled,
)

T = TypeVar("T")
POLICY = DeliveryPolicy()
LANES = (LANE, INFO, ALERTS)
LOST_BUT_SENT = Uncertain(reason="the answer was lost")
ANSWERS = (RELAYED, BUSY, throttled(90), LOST, LOST_BUT_SENT, FULL, DENIED)


class Mailbox(ScriptedGraph):
    """Keeps what it was sent, even if it then answers as if nothing had been sent."""

    def __init__(self) -> None:
        super().__init__()
        self.got: Counter[str] = Counter()

    def answer(self, sent: Sent) -> Outcome:
        said = super().answer(sent)
        if said in (RELAYED, LOST_BUT_SENT):
            self.got[sent.client_request_id] += 1
        return said


class Promises(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = FakeClock()
        self.spool = ScriptedSpool(self.clock)
        self.answers: Any = RELAYED
        self.accepted: set[int] = set()
        self.deleted: set[int] = set()
        self.doubts: Counter[int] = Counter()
        self.requests: dict[str, int] = {}
        self.graphs: list[Mailbox] = []
        self.number = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    # Life -------------------------------------------------------------------------------------

    @initialize()
    def start(self) -> None:
        self.run(self._start())

    async def _start(self) -> None:
        self.post = Post(POLICY, self.spool, self.clock)
        graph = Mailbox()
        graph.usually = self.answers
        graph.gate = asyncio.Event()
        graph.gate.set()
        self.graphs.append(graph)
        self.post.use(graph)
        self.life = asyncio.get_running_loop().create_task(self.post.queue.run())
        await settle()

    @rule()
    def crash_and_restart(self) -> None:
        """kill -9: nothing is finished, and nothing more is written."""

        async def crash() -> None:
            self._remember()
            self.doubts.update(self.spool.in_flight())
            trouble, self.spool.trouble = self.spool.trouble, StorageUnavailable("it is dead")
            self.life.cancel()
            await asyncio.gather(self.life, return_exceptions=True)
            self.spool.trouble = trouble
            await self._start()

        self.run(crash())

    @rule()
    def stop_and_restart(self) -> None:
        async def stop() -> None:
            draining = asyncio.ensure_future(self.post.queue.drain(timedelta(seconds=5)))
            await self.clock.advance(timedelta(seconds=6))
            await draining
            self._remember()
            self.doubts.update(self.spool.in_flight())
            await asyncio.gather(self.life, return_exceptions=True)
            await self._start()

        self.run(stop())

    # Mail, and the world ------------------------------------------------------------------------

    @rule(count=st.integers(1, 8), lane=st.sampled_from(LANES))
    def accept(self, count: int, lane: Lane) -> None:
        async def take() -> None:
            for _ in range(count):
                self.number += 1
                self.accepted.add(self.number)
                self.post.take(self.number, lane=lane)
            await settle()

        self.run(take())

    @rule(seconds=st.sampled_from([1, 40, 300, 4_000, 100_000]))
    def time_passes(self, seconds: int) -> None:
        self.run(self.clock.advance(timedelta(seconds=seconds)))

    @rule(days=st.integers(-30, 30))
    def the_clock_jumps(self, days: int) -> None:
        self.clock.set_wall_clock(self.clock.now() + timedelta(days=days))

    @rule(answer=st.sampled_from(ANSWERS))
    def graph_answers_so_from_now_on(self, answer: Any) -> None:
        self.answers = self.post.graph.usually = answer

    @rule()
    def one_message_is_refused_for_good(self) -> None:
        self.post.graph.say(REFUSED)

    @rule(open_gate=st.booleans())
    def graph_is_slow(self, open_gate: bool) -> None:
        async def change() -> None:
            assert self.post.graph.gate
            if open_gate:
                self.post.graph.gate.set()
            else:
                self.post.graph.gate.clear()
            await settle()

        self.run(change())

    @rule(full=st.booleans())
    def the_disk_is_full(self, full: bool) -> None:
        self.spool.trouble = StorageUnavailable("disk full") if full else None

    @rule(trouble=st.sampled_from(["none", "revoked", "unreachable"]))
    def the_authorization_changes(self, trouble: str) -> None:
        async def change() -> None:
            answers = self.post.graph.without_token
            answers.clear()
            if trouble == "revoked":
                answers[ACCOUNT] = Unauthorized(reason="revoked", remedy="authorize")
            if trouble == "unreachable":
                answers[ACCOUNT] = EntraUnreachable(reason="timeout")
            self.post.queue.resume(ACCOUNT, "it changed")
            await settle()

        self.run(change())

    # People -------------------------------------------------------------------------------------

    @precondition(lambda self: self.accepted)
    @rule(data=st.data(), verb=st.sampled_from(["hold", "release", "retry", "delete"]))
    def somebody_takes_it_in_hand(self, data: st.DataObject, verb: str) -> None:
        number = data.draw(st.sampled_from(sorted(self.accepted)))

        async def act() -> None:
            if self.spool.trouble:
                return
            queue = self.post.queue
            match verb:
                case "hold":
                    await queue.hold(number, "wait")
                case "release":
                    await queue.release(number)
                case "retry":
                    await queue.retry_now(number)
                case _:
                    self._remember()
                    if isinstance(await queue.delete(number, "unwanted"), Changed):
                        self.deleted.add(number)
            await settle()

        self.run(act())

    # The promises -------------------------------------------------------------------------------

    def _remember(self) -> None:
        """What the spool forgets: which request belonged to which message, and what was in
        doubt."""
        for entry in self.post.spool.begun:
            self.requests[entry[1]] = entry[0]

    def _sent(self) -> Counter[int]:
        self._remember()
        sent: Counter[int] = Counter()
        for graph in self.graphs:
            for request, count in graph.got.items():
                sent[self.requests[request]] += count
        return sent

    def teardown(self) -> None:
        if hasattr(self, "post"):
            self.run(self._all_is_well_again())
        self.runner.close()

    async def _all_is_well_again(self) -> None:
        post = self.post
        self.spool.trouble = None
        post.graph.without_token.clear()
        post.graph.usually = RELAYED
        assert post.graph.gate
        post.graph.gate.set()
        for number in self.accepted:
            if isinstance(self.spool.state(number), Held):
                await post.queue.release(number)
        for _ in range(10):
            await self.clock.advance(timedelta(hours=1))
            await settle(100)
        sent = self._sent()
        await post.queue.drain(timedelta(0))
        await self.life
        for number in self.accepted - self.deleted:
            state = self.spool.state(number)
            assert isinstance(state, Done), (number, state)
            outcomes = self.spool.outcomes(number)
            if state.how == "relayed":
                assert sent[number] >= 1, number
            elif "Failed" not in outcomes:
                assert len(outcomes) >= attempts_needed(POLICY), number
            doubts = self.doubts[number] + outcomes.count("Uncertain")
            assert sent[number] <= 1 + doubts, number
            assert outcomes.count("Relayed") <= 1, number
        assert post.graph.most_in_flight <= 4 * len(LANES)


Promises.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestPromises = Promises.TestCase
