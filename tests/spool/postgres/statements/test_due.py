"""The queue is read by seeks in its index: the cost does not depend on how many messages wait."""

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
    "after": None,
    "until": None,
    "now": 1,
    "far": 2,
    "besides": [1, 2],
    "limit": 17,
}
WAITING = """INSERT INTO messages (id, queue_id, received_at, sender, sender_key, client, origin,
        message_id, subject, size)
    SELECT i, i, 0, '', '', '', '{}', '', '', 4000 FROM generate_series(1, 3000) AS n (i);
INSERT INTO submissions (id, message, part, received_at, sender_key, login, client, size, envelope,
        plan, route, account, mailbox, state, not_before)
    SELECT i, i, 1, 0, 'wp@contoso.com', '', '127.0.0.1', 4000, '{}', '{}', '', 'website',
        'shop@contoso.com', 'queued', 0 FROM generate_series(1, 3000) AS n (i);
ANALYZE"""


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("sql", [*due._NAMES, due._OLDEST])
def test_each_look_at_a_long_queue_is_a_seek(
    database: str, spool: PostgresSpool, sql: str, large: bool
) -> None:
    with psycopg.connect(
        database, autocommit=True, cursor_factory=psycopg.ClientCursor
    ) as connection:
        connection.execute("SET search_path = graphrelay")
        connection.execute(WAITING)
        explain = "EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT JSON) " + sql
        [(found,)] = connection.execute(explain, VALUES | {"large": large}).fetchall()
        plan = found[0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 20
