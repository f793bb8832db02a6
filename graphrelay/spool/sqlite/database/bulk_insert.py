"""Many rows with few statements.

Python's sqlite3 lets other threads run at each statement, and then has to wait for its turn. Under
load that costs more than the statement, so a transaction's rows for a table are one statement, or
two or three where there are many.
"""

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any

Row = tuple[Any, ...]

_PORTIONS = (64, 32, *range(16, 0, -1))
"""Not too many sizes, so that the statements stay prepared (disk.STATEMENTS); 64 rows of twelve
values stay below the 999 variables of old SQLite."""


class Insert:
    """Rows for `columns` of `table`."""

    def __init__(self, table: str, columns: str) -> None:
        self._head = f"INSERT INTO {table} ({columns}) VALUES "  # noqa: S608 (our own words)
        self._marks = f"({', '.join('?' * len(columns.split(',')))})"
        self._statement = cache(self._written)

    def _written(self, rows: int) -> str:
        return self._head + ", ".join([self._marks] * rows)

    def into(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        done = 0
        for portion in _PORTIONS:
            while len(rows) - done >= portion:
                values = [value for row in rows[done : done + portion] for value in row]
                connection.execute(self._statement(portion), values)
                done += portion
