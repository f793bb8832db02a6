"""The queue is read by seeks in its index: the cost does not depend on how many messages wait."""

import re
from typing import Any

import psycopg
import pytest

from graphrelay.model import Lane
from graphrelay.spool.postgres.engine import PostgresSpool
from graphrelay.spool.postgres.statements import due

LANE = Lane("website", "shop@contoso.com")
VALUES: dict[str, Any] = {
    "account": LANE.account,
    "mailbox": LANE.mailbox,
    "login": "",
    "client": "127.0.0.1",
    "sender_key": "wp@contoso.com",
    "after": "www.example.net",
    "until": "www.example.net",
    "now": 1,
    "far": 2,
    "besides": [1, 2],
    "limit": 17,
}
TYPES = {bool: "boolean", int: "bigint", list: "bigint[]", str: "text"}
WAITING = """INSERT INTO messages (id, queue_id, received_at, sender, sender_key, client, origin,
        message_id, subject, size)
    SELECT i, i, 0, '', '', '', '{}', '', '', 4000 FROM generate_series(1, 3000) AS n (i);
INSERT INTO submissions (id, message, part, received_at, sender_key, login, client, size, envelope,
        plan, route, account, mailbox, state, not_before)
    SELECT i, i, 1, 0, 'wp@contoso.com', '', '127.0.0.1', 4000, '{}', '{}', '', 'website',
        'shop@contoso.com', 'queued', 0 FROM generate_series(1, 3000) AS n (i);
ANALYZE"""


@pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("sql", [*due._NAMES.values(), due._OLDEST])
def test_each_look_at_a_long_queue_is_a_seek(
    database: str, spool: PostgresSpool, sql: str, large: bool, plans: str
) -> None:
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", sql)))
    numbered = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", sql)
    values = VALUES | {"large": large}
    explain = f"EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT JSON) EXECUTE look ({_list(names)})"
    with psycopg.connect(
        database, autocommit=True, cursor_factory=psycopg.ClientCursor
    ) as connection:
        connection.execute("SET search_path = graphrelay")
        connection.execute(WAITING)
        connection.execute(f"SET plan_cache_mode = {plans}".encode())
        types = ", ".join(TYPES[type(values[name])] for name in names)
        connection.execute(f"PREPARE look ({types}) AS {numbered}".encode())
        [(found,)] = connection.execute(explain.encode(), values).fetchall()
        plan = found[0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 20


def _list(names: list[str]) -> str:
    return ", ".join(f"%({name})s" for name in names)
