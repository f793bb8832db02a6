"""Reads the database beside the writer: one thread, one read-only connection.

In WAL mode, readers see the last commit and block nobody. A read-only connection also never
checkpoints, which avoids SQLite's WAL-reset bug (lock.py).
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
        except (sqlite3.Error, OSError, MemoryError) as error:
            raise self._translated(error, doing)  # noqa: B904 (it carries its cause)

    async def close(self) -> None:
        """To be called before the writer is closed: the last connection to close is the one that
        checkpoints."""
        self._connection.interrupt()
        await asyncio.to_thread(self._thread.shutdown)
        self._connection.close()
