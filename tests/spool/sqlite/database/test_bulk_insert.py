"""Many rows are inserted with few statements, in their order."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from graphrelay.spool.sqlite.database.bulk_insert import Insert


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (number INTEGER, name TEXT)")
        yield connection


@pytest.mark.parametrize(
    ("rows", "statements"), [(0, 0), (1, 1), (16, 1), (17, 2), (64, 1), (65, 2), (200, 4)]
)
def test_all_rows_are_there_in_order_after_few_statements(
    connection: sqlite3.Connection, rows: int, statements: int
) -> None:
    given = [(number, f"row {number}") for number in range(rows)]
    seen: list[str] = []
    connection.set_trace_callback(seen.append)

    Insert("t", "number, name").into(connection, given)

    connection.set_trace_callback(None)
    assert len(seen) == statements
    assert connection.execute("SELECT number, name FROM t ORDER BY rowid").fetchall() == given


def test_no_statement_has_more_values_than_old_versions_of_sqlite_allow(
    connection: sqlite3.Connection,
) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
    columns = [f"c{number}" for number in range(14)]
    connection.execute(f"CREATE TABLE wide ({', '.join(columns)})")
    Insert("wide", ", ".join(columns)).into(connection, [tuple(range(14))] * 150)
    assert connection.execute("SELECT count(*) FROM wide").fetchone() == (150,)
