"""Inserts many rows with few statements.

Python's sqlite3 releases the GIL for each statement and has to wait to get it back. Under load that
costs more than the statement, so the rows that a transaction adds to a table are inserted with one
statement, or two or three if there are many.
"""

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any

Row = tuple[Any, ...]

_PORTIONS = (64, 32, *range(16, 0, -1))
"""Few sizes, so that the statements stay prepared (disk.STATEMENTS); 64 rows of twelve values stay
below the limit of 999 variables in old SQLite versions."""


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
