"""Many messages are stored with few statements, and everything of an erased message is gone. What
is stored of a message is tested for every engine in tests/spool/contract/test_mail.py."""

import sqlite3

import pytest

from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.sqlite.files.bodies import Kept
from graphrelay.spool.sqlite.statements.put import Deposit, Depositor, erase
from tests.spool.mail import ANNA, BERT, NOON, a_message, plan
from tests.spool.memory import Bodies, connect

TABLES = "messages", "bodies", "submissions", "recipients"


@pytest.fixture
def connection() -> sqlite3.Connection:
    return connect()


@pytest.fixture
def depositor(connection: sqlite3.Connection) -> Depositor:
    return Depositor(connection, Bodies())


def deposits(number: int) -> list[Deposit]:
    parts = (plan(), (ANNA,)), (plan(), (BERT,))
    return [Deposit(a_message(*parts), Kept(b"Hello\r\n"), NOON) for _ in range(number)]


def rows(connection: sqlite3.Connection) -> list[int]:
    counts = (connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in TABLES)
    return [number for (number,) in counts]


def test_many_messages_take_one_statement_for_each_table(
    connection: sqlite3.Connection, depositor: Depositor
) -> None:
    depositor.put(DatabaseTransaction(connection), deposits(1))
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    answers = depositor.put(DatabaseTransaction(connection), deposits(16))
    connection.set_trace_callback(None)

    assert [one.split()[2] for one in statements] == list(TABLES)
    assert len({part.id for parts in answers for part in parts}) == 32
    assert len({parts[0].queue_id for parts in answers}) == 16
    assert rows(connection) == [17, 17, 34, 34]


def test_a_message_makes_sqlite_prepare_no_table_in_memory(connection: sqlite3.Connection) -> None:
    """As it does for a CHECK with an IN of more than two values, once for each statement."""
    for written in (
        "INSERT INTO submissions (message, state) VALUES (?, ?)",
        "UPDATE submissions SET state = ?, done_at = ? WHERE id = ?",
    ):
        values = ("x",) * written.count("?")
        program = connection.execute(f"EXPLAIN {written}", values).fetchall()
        assert "OpenEphemeral" not in [operation for _, operation, *_ in program]


def sequence(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT name, seq FROM sqlite_sequence"))


def test_row_ids_are_reserved_for_many_messages(
    connection: sqlite3.Connection, depositor: Depositor
) -> None:
    transaction = DatabaseTransaction(connection)
    depositor.put(transaction, deposits(1))
    reserved = sequence(connection)
    for _ in range(20):
        depositor.put(transaction, deposits(10))
    assert sequence(connection) == reserved
    for _ in range(100):
        depositor.put(transaction, deposits(10))
    (last,) = connection.execute("SELECT max(id) FROM submissions").fetchone()
    assert reserved["submissions"] < last <= sequence(connection)["submissions"]


def test_a_reservation_that_was_rolled_back_lets_no_id_be_used_twice(
    connection: sqlite3.Connection, depositor: Depositor
) -> None:
    connection.execute("BEGIN")
    depositor.put(DatabaseTransaction(connection), deposits(1))
    connection.execute("ROLLBACK")
    [[first, second]] = depositor.put(DatabaseTransaction(connection), deposits(1))
    connection.executescript(";".join(f"DELETE FROM {table}" for table in reversed(TABLES)))
    [[later, _]] = Depositor(connection, Bodies()).put(DatabaseTransaction(connection), deposits(1))
    assert first.id < second.id < later.id


def test_all_of_a_message_that_is_erased_is_gone_and_nothing_else(
    connection: sqlite3.Connection, depositor: Depositor
) -> None:
    transaction = DatabaseTransaction(connection)
    kept, erased = depositor.put(transaction, deposits(2))
    erase(transaction, erased)
    assert rows(connection) == [1, 1, 2, 2]
    left = connection.execute("SELECT id FROM submissions ORDER BY id").fetchall()
    assert left == [(part.id,) for part in kept]
    erase(transaction, None)


def test_numbers_and_names_go_on_after_the_last_ones_in_the_database(
    connection: sqlite3.Connection, depositor: Depositor
) -> None:
    transaction = DatabaseTransaction(connection)
    [first] = depositor.put(transaction, deposits(1))
    [second] = Depositor(connection, Bodies()).put(transaction, deposits(1))
    assert second[0].id > first[-1].id
    assert second[0].queue_id > first[0].queue_id
