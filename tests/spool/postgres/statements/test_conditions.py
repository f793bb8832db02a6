"""Filters become conditions with bound values."""

from typing import Any

import psycopg
import pytest

from graphrelay.spool.postgres.engine import PostgresSpool
from graphrelay.spool.postgres.statements.conditions import (
    HAS_MESSAGE_ID,
    equal,
    joined,
    key_of,
    message_is,
)


def test_without_a_field_everything_is_found() -> None:
    assert joined([*equal("a", None)]) == ("true", ())


def test_values_are_bound_and_never_part_of_the_words() -> None:
    words, values = joined([*equal("a", "' OR 1 --"), *message_is("0000000000/2")])
    assert words == "a = %s AND m.queue_id = %s AND s.part = %s"
    assert values == ("' OR 1 --", "0000000000", 2)


def test_addresses_are_compared_by_their_key() -> None:
    assert key_of("<Anna@Example.ORG>") == "anna@example.org"
    assert key_of("<>") == ""


_ROWS = """SELECT i, i::text, 0, '', '', '', '{}', %(message_id)s, '', 0
    FROM generate_series(%(first)s::bigint, %(last)s) AS n (i)"""
_STORE = f"""INSERT INTO messages (id, queue_id, received_at, sender, sender_key, client, origin,
    message_id, subject, size) {_ROWS}"""
_FIND = f"SELECT FROM messages m WHERE {HAS_MESSAGE_ID} LIMIT 1"


@pytest.mark.parametrize("message_id", ["<1@printer.local>", "<" + "x" * 996 + ">"])
def test_mail_of_a_client_with_one_message_id_for_all_is_stored_and_found_with_seeks(
    database: str, spool: PostgresSpool, message_id: str
) -> None:
    with psycopg.connect(
        database, autocommit=True, cursor_factory=psycopg.ClientCursor
    ) as connection:
        connection.execute("SET search_path = graphrelay")
        same = {"message_id": message_id}
        stored = []
        for first, last in ((1, 100), (101, 101), (102, 10_000), (10_001, 10_001)):
            stored.append(_pages(connection, _STORE, {"first": first, "last": last} | same))
        connection.execute("ANALYZE messages")
        found = _pages(connection, _FIND, same)
    assert stored[3] < stored[1] + 10
    assert found < 10


def _pages(connection: psycopg.Connection, sql: str, values: dict[str, Any]) -> int:
    """How many it reads."""
    explain = "EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT JSON) " + sql
    [(found,)] = connection.execute(explain.encode(), values).fetchall()
    plan = found[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
