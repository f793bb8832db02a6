"""A statement whose values have names, which are bound by their places.

For each name that Python's sqlite3 looks up in a mapping it releases the GIL, and has to wait to
get it back (bulk_insert.py).
"""

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r":(\w+)")


class Named:
    """`sql` has `:name` where a value is to be, and no other colon."""

    def __init__(self, sql: str) -> None:
        self._names: list[str] = _NAME.findall(sql)
        self._sql = _NAME.sub("?", sql)

    def execute(self, connection: sqlite3.Connection, values: Mapping[str, Any]) -> sqlite3.Cursor:
        """Names of which the statement has no use may have values, too."""
        return connection.execute(self._sql, [values[name] for name in self._names])
