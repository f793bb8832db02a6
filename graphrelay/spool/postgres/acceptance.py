"""How a message becomes ours: its octets stand ready, and one transaction takes it.

A client is answered within `ACCEPT_LIMIT`. What turns out to have been committed for a client that
got another answer, or has gone, is taken back.
"""

import asyncio
from collections.abc import Awaitable
from random import getrandbits

from graphrelay.clock import Clock
from graphrelay.journal import Journal, events
from graphrelay.model import (
    IncomingBody,
    NewMessage,
    StorageAway,
    StorageUnavailable,
    Submission,
)
from graphrelay.spool.contract import Report
from graphrelay.spool.postgres.bodies import Incoming, Pieces
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.database_clock import DatabaseClock
from graphrelay.spool.postgres.leases import Leases
from graphrelay.spool.postgres.statements.put import Deposit, Deposited, PutMail, erase, put_one
from graphrelay.spool.postgres.transactions import Transactions, Work
from graphrelay.spool.postgres.writer import TRIES, Job, Writer
from graphrelay.spool.queue_ids import QueueIds

ACCEPT_LIMIT = 10.0
"""Seconds after which a client gets the answer that its message could not be taken."""
_ID_BITS = 9


class Acceptance:
    """Owns the queue ids that this relay gives."""

    def __init__(
        self,
        writer: Writer,
        transactions: Transactions,
        leases: Leases,
        pieces: Pieces,
        clock: Clock,
        database_clock: DatabaseClock,
        journal: Journal,
    ) -> None:
        self._writer = writer
        self._transactions = transactions
        self._leases = leases
        self._pieces = pieces
        self._clock = clock
        self._database_clock = database_clock
        self._journal = journal
        self._together = self._new_put()
        self.ids = QueueIds(chance=self._chance)

    def go_on_from(self, last: str) -> None:
        """The last queue id that was given."""
        self.ids = QueueIds(last, self._chance)

    def _chance(self, bits: int) -> int:
        """The first of the nine bits that chance gives a queue id are those of the relay's slot: so
        two relays rarely give the same one, which costs a second try."""
        chance = getrandbits(bits)
        return chance if bits < _ID_BITS else self._leases.slot << (bits - 4) | chance >> 4

    def incoming(self) -> IncomingBody:
        return self._pieces.incoming()

    async def accept(self, message: NewMessage, body: IncomingBody) -> tuple[Submission, ...]:
        mine = _ours(body)
        return await self._take(mine, self._put(message, mine))

    async def put_after(
        self, first: Work[bool], report: Report, doing: str
    ) -> tuple[Submission, ...]:
        """Put a message in the transaction of `first`, and only if that answers so."""
        message, mine = report[0], _ours(report[1])

        async def put() -> Deposited | None:
            deposit = await self._deposit(message, mine)

            async def work(connection: Connection) -> Deposited | None:
                if not await first(connection):
                    return None
                return await put_one(connection, self._new_put(), deposit)

            return await self._transactions.run(work, doing)

        return await self._take(mine, put())

    async def _take(
        self, body: Incoming, putting: Awaitable[Deposited | None]
    ) -> tuple[Submission, ...]:
        put = None
        try:
            put = await putting
        finally:
            if put is None:
                await body.discard()
            else:
                body.hand_over()
        if put is None:
            return ()
        self._leases.made(put.made)
        return put.parts

    async def _deposit(self, message: NewMessage, body: Incoming) -> Deposit:
        return Deposit(message, await body.store(), self._clock.now())

    async def _put(self, message: NewMessage, body: Incoming) -> Deposited:
        job = self._writer.submit(self._together, await self._deposit(message, body))
        try:
            async with asyncio.timeout(ACCEPT_LIMIT):
                return await asyncio.shield(job.future)
        except asyncio.CancelledError:
            self._give_up(job)
            raise
        except TimeoutError as error:
            self._give_up(job)
            raise StorageAway(
                "The spool could not take a message in PostgreSQL: the server does not answer."
            ) from error

    def _give_up(self, job: Job[Deposit, Deposited]) -> None:
        if job.future.done() and job.future.exception() is None:  # the answer came just now
            self._transactions.afterwards(self.take_back(job.future.result()))
        else:
            self._writer.give_up(job, self.take_back)

    async def take_back(self, put: Deposited) -> None:
        """What nobody was given a 250 for; where that fails, it is sent all the same. The lanes
        that it made stay."""
        self._leases.made(put.made)

        async def work(connection: Connection) -> None:
            await erase(connection, put.parts)

        for left in reversed(range(TRIES)):
            try:
                await self._transactions.run(work, "take a message back")
                break
            except StorageUnavailable as error:
                if not left:
                    self._journal.write(events.SpoolCancelledCallKept(reason=str(error)))

    def _new_put(self) -> PutMail:
        return PutMail(lambda: self.ids, self._database_clock, self._leases, self._pieces)


def _ours(body: IncomingBody) -> Incoming:
    if not isinstance(body, Incoming):
        raise TypeError("a body must come from this spool's incoming()")
    return body
