"""Inserts many rows with few statements.

Python's sqlite3 releases the GIL five times for each statement, and once more for each value that
is bound by its name and for each column of a row, and has to wait to get it back. Under load that
costs more than the statement, so the rows that a transaction adds to a table are inserted with one
statement, or two or three if there are many.
"""

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any

Row = tuple[Any, ...]

_MOST = 64
"""64 rows of fourteen values stay below the limit of 999 variables in old SQLite versions."""


class Insert:
    """Rows for `columns` of `table`."""

    def __init__(self, table: str, columns: str) -> None:
        self._head = f"INSERT INTO {table} ({columns}) VALUES "  # noqa: S608 (our own words)
        self._marks = f"({', '.join('?' * len(columns.split(',')))})"
        self._statement = cache(self._written)

    def _written(self, rows: int) -> str:
        return self._head + ", ".join([self._marks] * rows)

    def into(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        done, count = 0, len(rows)
        while done < count:
            portion = _portion(count - done)
            values = [value for row in rows[done : done + portion] for value in row]
            connection.execute(self._statement(portion), values)
            done += portion


def _portion(left: int) -> int:
    """How many of them to insert with the next statement. There are few sizes, so that the
    statements stay prepared (disk.STATEMENTS)."""
    if left <= 16:
        return left
    return min(_MOST, 1 << left.bit_length() - 1)
