"""Reading for people, beside the writer: one thread, one connection that cannot write.

WAL readers see the last commit and stop nobody. A connection opened read-only never checkpoints
either, which is what keeps SQLite's WAL-reset bug (lock.py) away.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from graphrelay.threads import all_started

T = TypeVar("T")


class Reader:
    """Owns the connection that reads."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        translated: Callable[[BaseException, str], BaseException],
    ) -> None:
        self._connection = connection
        self._translated = translated
        self._thread = all_started(1, "spool-reader")

    async def run(self, read: Callable[[sqlite3.Connection], T], doing: str) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, read, self._connection)
        except (sqlite3.Error, OSError) as error:
            raise self._translated(error, doing)  # noqa: B904 (it carries its cause)

    async def close(self) -> None:
        """Before the writer: the last connection to go is the one that checkpoints."""
        self._connection.interrupt()
        await asyncio.to_thread(self._thread.shutdown)
        self._connection.close()
