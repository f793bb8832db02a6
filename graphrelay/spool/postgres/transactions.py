"""Transactions of their own, beside those that callers share (writer.py).

    caller ── work ──▶ [ BEGIN  work  COMMIT ], once more where another relay was at the same rows

Each is carried to its end, also where its caller is cancelled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import psycopg

from graphrelay.spool.postgres.connections import Connection, Connections
from graphrelay.spool.postgres.errors import CONFLICTS, translated
from graphrelay.spool.postgres.writer import TRIES

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]


class Transactions:
    """Owns what is under way."""

    def __init__(self, connections: Connections, tasks: asyncio.TaskGroup) -> None:
        self._connections = connections
        self._tasks = tasks
        self.under_way: set[asyncio.Task[Any]] = set()

    async def run(self, work: Work[T], doing: str) -> T:
        """Its caller alone gets the exception."""
        return await asyncio.shield(self._own(asyncio.create_task(self._transact(work, doing))))

    def afterwards(self, work: Coroutine[Any, Any, None]) -> None:
        """What remains to be done when a call has ended. It has no caller, so an exception ends the
        relay."""
        self._own(self._tasks.create_task(work))

    def _own(self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        return task

    async def _transact(self, work: Work[T], doing: str) -> T:
        tries = TRIES
        while True:
            tries -= 1
            try:
                async with self._connections.one() as connection, connection.transaction():
                    return await work(connection)
            except psycopg.Error as error:
                if not (tries and isinstance(error, CONFLICTS)):
                    raise translated(error, doing)  # noqa: B904 (it carries its cause)
