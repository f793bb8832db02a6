"""Six requests at once, none of which sends anything.

Each stops before its last octets until all six are under way: only then can the limit show.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta

from graphrelay.clock import Clock, timeout
from graphrelay.doctor.examination import CONCURRENCY, Examination, said
from graphrelay.doctor.finding import Finding, judged
from graphrelay.graph.http.connection import AT_ONCE
from graphrelay.graph.session import GraphReply, Json

SERVED = 4
TOGETHER = timedelta(seconds=1)
"""How long all of them are held back once the last one is under way."""
PATIENCE = timedelta(seconds=20)


class Gathering:
    """A barrier: all wait until the last one has arrived."""

    def __init__(self, number: int, clock: Clock) -> None:
        self._missing = number
        self._clock = clock
        self._complete = asyncio.Event()

    def come(self) -> None:
        self._missing -= 1
        if self._missing <= 0:
            self._complete.set()

    async def all_there(self) -> None:
        """Returns when all have arrived, or after too long a time."""
        try:
            async with timeout(self._clock, PATIENCE):
                await self._complete.wait()
        except TimeoutError:
            return  # the answers show which ones arrived too late
        await self._clock.sleep(TOGETHER)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A message without recipients in JSON, whose end waits for the others. It is padded with more
    blanks than are written at once, so that its beginning is sent first."""

    gathering: Gathering

    @property
    def size(self) -> int:
        return len(_MESSAGE) + 2 * (AT_ONCE + 1)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b" " * (AT_ONCE + 1)
            yield b" " * (AT_ONCE + 1)
        finally:  # an answer may come before the end
            self.gathering.come()
        await self.gathering.all_there()
        yield _MESSAGE


_MESSAGE = json.dumps({"message": {"subject": "graphrelay doctor", "toRecipients": []}}).encode()


async def six_at_once(of: Examination) -> Finding:
    """How many are served, and what the others get."""
    gathering = Gathering(CONCURRENCY, of.clock)

    async def ask() -> GraphReply:
        return await of.request("POST", f"{of.box}/sendMail", Json(HeldBack(gathering)))

    replies = await asyncio.gather(*(ask() for _ in range(CONCURRENCY)))
    refused = [reply for reply in replies if reply.status == 429]
    served = [reply for reply in replies if reply.status == 400]
    waits = {_wait(reply) for reply in refused}
    others = [said(reply) for reply in replies if reply.status not in (400, 429)]
    seen = f"{len(served)} served"
    if refused:
        seen += f", {len(refused)} got {said(refused[0])} with {' and '.join(sorted(waits))}"
    if others:
        seen += f", others: {', '.join(others)}"
    right = (len(served), len(refused)) == (SERVED, CONCURRENCY - SERVED)
    return judged(right and "no Retry-After" not in waits, seen)


def _wait(reply: GraphReply) -> str:
    given = reply.answer.headers.get("retry-after") if reply.answer else None
    return "no Retry-After" if given is None else f"Retry-After {given}"
