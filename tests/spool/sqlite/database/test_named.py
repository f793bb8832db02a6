"""Values that have names are bound by their places."""

import sqlite3
from contextlib import closing

import pytest

from graphrelay.spool.sqlite.database.named import Named


def test_each_value_is_bound_wherever_its_name_stands() -> None:
    statement = Named("SELECT :a, :b, :a || :b")
    with closing(sqlite3.connect(":memory:")) as connection:
        seen: list[str] = []
        connection.set_trace_callback(seen.append)
        found = statement.execute(connection, {"b": "2", "a": "1", "c": "3"}).fetchall()
    assert found == [("1", "2", "12")]
    assert seen == ["SELECT '1', '2', '1' || '2'"]


def test_a_value_that_is_missing_is_reported() -> None:
    with closing(sqlite3.connect(":memory:")) as connection, pytest.raises(KeyError, match="a"):
        Named("SELECT :a").execute(connection, {})
