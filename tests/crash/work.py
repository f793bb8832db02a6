"""The work of the crashing process: a little of everything that a spool does, reported step by
step.

Before and after each step it reports a line to its `Teller`, so that the test knows what was
promised: `start` before, `done` when the call has returned, `refused` when it raised
StorageUnavailable; `doubtful` if the reason was not a lack of space.
"""

import asyncio
import hashlib
import json
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import cast

import psycopg

from graphrelay.journal import Journal
from graphrelay.model import (
    Address,
    Delayed,
    Done,
    DraftProgress,
    Failed,
    Lane,
    NextState,
    Plan,
    Queued,
    QueueEntry,
    StorageUnavailable,
    Submission,
)
from graphrelay.spool.changes import Delete, Hold, Move, Release
from graphrelay.spool.contract import Spool
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.queries import QueueFilter
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.sqlite.errors import is_full
from graphrelay.spool.values import Divided
from tests.clock import FakeClock
from tests.spool.mail import NOON, a_message, attempt, plan, relayed

INLINE_LIMIT = 2000
TRIES = 4
LONG = timedelta(hours=100)

Teller = Callable[[str], None]


def octets_of(name: str, size: int) -> bytes:
    """Different for each name."""
    return (hashlib.sha256(name.encode()).hexdigest().encode() * (size // 64 + 1))[:size]


class Worker:
    """Carries out the work and reports it."""

    def __init__(self, spool: Spool, tell: Teller) -> None:
        self._spool = spool
        self._tell = tell
        self._known: dict[str, Submission] = {}
        self._begun: dict[str, int] = {}
        self._with: dict[str, tuple[str, ...]] = {}
        """Further recipients of the same submission."""
        self._drafted: set[str] = set()

    async def _do(self, name: str, target: str, call: Callable[[], Awaitable[object]]) -> bool:
        """What happens to a submission happens to all of its recipients."""
        return await self._do_all(dict.fromkeys((name, *self._with.get(name, ())), target), call)

    async def _do_all(self, targets: dict[str, str], call: Callable[[], Awaitable[object]]) -> bool:
        """Tries a few times, as the relay does; returns whether it succeeded."""
        for _ in range(TRIES):
            self._tell_all("start", targets)
            try:
                await call()
            except StorageUnavailable as error:
                doubtful = not is_full(error.__cause__)
                self._tell_all("refused", targets, why=str(error), doubtful=doubtful)
            else:
                self._tell_all("done", targets)
                return True
        return False

    def _tell_all(self, what: str, targets: dict[str, str], **more: object) -> None:
        for name, target in targets.items():
            self._tell(json.dumps({"what": what, "name": name, "target": target} | more))

    async def put(self, name: str, size: int = 500, parts: int = 1) -> None:
        names = [f"{name}#{part}" if part > 1 else name for part in range(1, parts + 1)]
        found: tuple[Submission, ...] = ()

        async def call() -> None:
            nonlocal found
            body = self._spool.incoming()
            octets = octets_of(name, size)
            for start in range(0, size, 100_000):
                await body.write(octets[start : start + 100_000])
            paths: list[tuple[Plan, tuple[Address, ...]]] = [
                (plan(), (Address(part, "example.org"),)) for part in names
            ]
            found = await self._spool.accept(a_message(*paths, subject=f"{name} {size}"), body)

        for part in names[1:]:
            self._tell(json.dumps({"what": "start", "name": part, "target": "queued"}))
        if await self._do(names[0], "queued", call):
            for part, submission in zip(names, found, strict=True):
                self._known[part] = submission
                self._tell(json.dumps({"what": "done", "name": part, "target": "queued"}))

    async def put_to(self, name: str, people: int, size: int = 500) -> None:
        """One submission to several recipients, who go by the name of the first."""
        first, *others = (f"{name}#{person}" for person in range(1, people + 1))
        self._with[first] = tuple(others)
        found: tuple[Submission, ...] = ()

        async def call() -> None:
            nonlocal found
            body = self._spool.incoming()
            await body.write(octets_of(name, size))
            paths = tuple(Address(one, "example.org") for one in (first, *others))
            found = await self._spool.accept(
                a_message((plan(), paths), subject=f"{name} {size}"), body
            )

        if await self._do(first, "queued", call):
            self._known[first] = found[0]

    async def divide(self, name: str) -> None:
        """Refused for all, so that each is to be tried alone; a draft that names all is left."""
        if name not in self._begun:
            return
        others = self._with[name]
        pieces = tuple((Address(one, "example.org"),) for one in (name, *others))
        refused = attempt(Failed(status="5.1.3", reason="somebody"), self._begun[name])
        submission, following = self._known[name], Divided(NOON, pieces)
        targets = {name: "queued"} | dict.fromkeys(others, "queued apart")
        draft = f"draft of {name}"
        self._tell_all("start", {draft: "left"})
        if name in self._drafted:
            targets[draft] = "left"

        async def call() -> None:
            await self._spool.finish(submission, refused, following)

        if await self._do_all(targets, call):
            del self._begun[name], self._with[name]
            for one in others:
                self._known[one] = await self._waiting_for(one)

    async def _waiting_for(self, name: str) -> Submission:
        """The only one for this recipient. Tries a few times, too."""
        for left in reversed(range(TRIES)):
            try:
                (row,) = await self._spool.read(QueueFilter(recipient=f"{name}@example.org"))
                return await self._spool.load(row.submission_id)
            except StorageUnavailable:
                if not left:
                    raise
        raise AssertionError("unreachable")

    async def move(self, name: str) -> None:
        """To another account, whose lane it joins."""
        if name in self._known:
            other = plan(Lane("other", "other@contoso.com"))
            move = Move(self._known[name].id, other, "away")
            await self._do(name, "queued elsewhere", lambda: self._spool.change(move))

    async def begin(self, name: str) -> None:
        if name not in self._known or name in self._begun:
            return
        number = 0

        async def call() -> None:
            nonlocal number
            submission = await self._spool.load_to_send(QueueEntry.of(self._known[name]))
            number = await self._spool.begin(submission, NOON, "c")

        if await self._do(name, "in flight", call):
            self._begun[name] = number

    async def finish(self, name: str, *, again: bool = False) -> None:
        if name not in self._begun:
            return
        submission, number = self._known[name], self._begun[name]
        call = self._spool.finish
        outcome, target, following = relayed(number), "relayed", cast(NextState, Done("relayed"))
        if again:
            outcome = attempt(Delayed(status="4.0.0", reason="busy"), number)
            target, following = "queued", Queued(NOON + timedelta(minutes=5))
        if await self._do(name, target, lambda: call(submission, outcome, following)):
            del self._begun[name]

    async def draft(self, name: str, attached: int) -> None:
        """So many attachments are in the draft of an attempt that is under way."""
        if name not in self._begun:
            return
        progress = DraftProgress(id=f"draft of {name}", attachments=9, attached=attached)
        call = self._spool.keep_draft
        targets = {progress.id: str(attached)}
        if await self._do_all(targets, lambda: call(self._known[name], progress)):
            self._drafted.add(name)

    async def hold(self, name: str) -> None:
        if name in self._known:
            await self._do(
                name, "held", lambda: self._spool.change(Hold(self._known[name].id, "odd"))
            )

    async def release(self, name: str) -> None:
        if name in self._known:
            await self._do(
                name, "queued", lambda: self._spool.change(Release(self._known[name].id))
            )

    async def delete(self, name: str) -> None:
        if name in self._known:
            await self._do(
                name, "deleted", lambda: self._spool.change(Delete(self._known[name].id, "no"))
            )


async def a_little_of_everything(worker: Worker, spool: Spool) -> None:
    await worker.put("small")
    await worker.put("large", 300_000)
    await asyncio.gather(
        *(worker.put(f"together{n}") for n in range(5)), worker.put("large together", 5000)
    )
    await worker.put("parts", 5000, parts=3)
    await worker.begin("small")
    await worker.finish("small", again=True)
    await worker.begin("small")
    await worker.finish("small")
    await worker.begin("large")
    await worker.finish("large")
    await worker.begin("parts#2")
    await worker.finish("parts#2")
    await worker.hold("together1")
    await worker.hold("together2")
    await worker.release("together2")
    await worker.put("large deleted", 5000)
    await worker.delete("large deleted")
    if isinstance(spool, SqliteSpool):
        with suppress(StorageUnavailable):
            await spool.tidy()
    await worker.put("after the checkpoint", 5000)
    await worker.begin("together0")
    await worker.draft("together0", 1)
    await worker.draft("together0", 2)
    await worker.delete("together3")
    await worker.put_to("group", 3)
    await worker.begin("group#1")
    await worker.draft("group#1", 1)
    await worker.divide("group#1")
    await worker.begin("group#2")
    await worker.finish("group#2")
    await worker.move("together4")


async def many_at_once(worker: Worker, name: str) -> None:
    """Twenty callers, each with a dozen messages of all sizes, most of which are relayed."""

    async def caller(number: int) -> None:
        chance = random.Random(f"{name} {number}")
        for count in range(12):
            message = f"{name}.{number}.{count}"
            await worker.put(message, int(10 ** chance.uniform(1, 5)))
            if chance.random() < 0.7:
                await worker.begin(message)
                if chance.random() < 0.9:
                    await worker.finish(message)

    await asyncio.gather(*(caller(number) for number in range(20)))


async def _use(spool: Spool, tell: Teller, load: str) -> None:
    """Nothing of it is done twice: to open the spool is tried again, and this is not."""
    try:
        if load:
            await many_at_once(Worker(spool, tell), load)
        else:
            await a_little_of_everything(Worker(spool, tell), spool)
    except StorageUnavailable as error:
        raise AssertionError(f"not tried again: {error}") from error


async def work(directory: Path, tell: Teller, load: str = "") -> None:
    clock = FakeClock()
    for _ in range(TRIES):
        try:
            async with SqliteSpool.open(
                directory, clock, Journal(clock), inline_limit=INLINE_LIMIT, reserve=0
            ) as spool:
                await _use(spool, tell, load)
                return
        except StorageUnavailable as error:
            tell(json.dumps({"what": "not opened", "why": str(error)}))


async def shared_work(url: str, tell: Teller, load: str = "") -> None:
    """On a queue in PostgreSQL, as the only relay."""
    tell(json.dumps({"what": "began", "process": os.getpid()}))
    clock = FakeClock()
    for _ in range(TRIES):
        try:
            async with PostgresSpool.open(
                url, clock, Journal(clock), inline_limit=INLINE_LIMIT, lease=LONG
            ) as spool:
                await _use(spool, tell, load)
                return
        except StorageUnavailable as error:
            tell(json.dumps({"what": "not opened", "why": str(error)}))
            await _alone(url)


async def _alone(url: str) -> None:
    """If the answer was lost when it joined, it is still one of the relays, under another name."""
    with suppress(psycopg.Error):
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute("DELETE FROM graphrelay.relays")
