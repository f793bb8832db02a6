"""A large spool within seconds: one message, accepted as usual, then copied by SQL.

The copies differ in their ids and, if requested, in their lanes.
"""

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from benchmarks import load
from graphrelay.clock import SystemClock
from graphrelay.journal import Journal
from graphrelay.model import Address, Envelope, Lane, NewMessage, Origin, Plan
from graphrelay.spool.contract import Spool
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.sqlite.startup.start import DATABASE

SIZE = 4_000
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :copies)"
_MESSAGES = """INSERT INTO messages
    SELECT id + i, printf('%010d', i), received_at, sender, sender_key, client, origin,
           message_id, subject, size, CASE WHEN :done THEN received_at END
    FROM messages, n WHERE id = 1"""
_BODIES = """INSERT INTO bodies SELECT message + i, size, file, prefix, octets
    FROM bodies, n WHERE message = 1 AND NOT :done"""
_SUBMISSIONS = """INSERT INTO submissions
    (id, message, part, received_at, sender_key, size, envelope, plan, account, mailbox, attempts,
     state, not_before, done_at, client)
    SELECT id + i, message + i, part, received_at, sender_key, size, envelope,
           json_set(plan, '$.lane.mailbox', {mailbox}), account, {mailbox}, :done,
           CASE WHEN :done THEN 'relayed' ELSE state END,
           CASE WHEN :done THEN NULL ELSE not_before END,
           CASE WHEN :done THEN received_at END, client
    FROM submissions, n WHERE id = 1"""
_RECIPIENTS = """INSERT INTO recipients SELECT address_key, submission + i FROM recipients, n
    WHERE submission = 1"""
_LOG = """INSERT INTO log (at, submission, what, reason, number, started_at, outcome)
    SELECT received_at, id + i, 'relayed', '', 1, received_at,
           '{{"kind":"Relayed","answer":{{"http_status":202}}}}'
    FROM submissions, n WHERE id = 1 AND :done"""


def multiply(state: Path, copies: int, *, lanes: int = 1, done: bool = False) -> None:
    """A spool in `state` in which `copies` + 1 messages wait; with `done`, they are relayed and
    only in the mail log. Each of several `lanes` is a mailbox of `cloud`."""
    state.mkdir(parents=True)
    asyncio.run(_one(state))
    mailbox = "mailbox" if lanes == 1 else f"printf('shop%d@contoso.com', i % {lanes})"
    connection = sqlite3.connect(state / DATABASE)
    with connection:
        for insert in (_MESSAGES, _BODIES, _SUBMISSIONS, _RECIPIENTS, _LOG):
            text = f"{_NUMBERS} {insert.format(mailbox=mailbox)}"
            connection.execute(text, {"copies": copies, "done": done})
    connection.close()


async def _one(state: Path) -> None:
    clock = SystemClock()
    async with SqliteSpool.open(state, clock, Journal(clock)) as spool:
        await _accept_one(spool)


async def _accept_one(spool: Spool) -> None:
    body = spool.incoming()
    await body.write(load.message(0, SIZE).removesuffix(b".\r\n"))
    to = (Address("a", "example.org"),)
    plan = Plan(route="default", lane=Lane("website", "wp@contoso.com"))
    new = NewMessage(
        envelope=Envelope(Address("wp", "contoso.com"), to),
        origin=Origin("127.0.0.1:25", "127.0.0.1"),
        received_at=datetime.now(UTC),
        message_id="<0.load@contoso.com>",
        subject="Order confirmed",
        prefix=b"",
        parts=((plan, to),),
    )
    await spool.accept(new, body)


async def multiply_shared(url: str, done: int, waiting: int) -> None:
    """A database in which so many messages wait, over ten mailboxes of `cloud`, and so many were
    relayed and are only in the mail log."""
    clock = SystemClock()
    async with PostgresSpool.open(url, clock, Journal(clock), sends=False) as spool:
        await _accept_one(spool)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SET search_path = graphrelay")
        split = 2 + waiting
        for first, last, finished in ((2, split - 1, False), (split, split + done - 1, True)):
            for statement in _SHARED:
                values = {"first": first, "last": last, "done": finished}
                await connection.execute(statement, values)
        await connection.execute("VACUUM ANALYZE")


_NUMBER = "generate_series(%(first)s::bigint, %(last)s) AS n (i)"
_MAILBOX = "format('shop%%s@contoso.com', i %% 10)"
_SHARED = (
    f"""INSERT INTO messages (id, queue_id, received_at, sender, sender_key, client, origin,
            message_id, subject, size, done_at)
        SELECT i, lpad(i::text, 10, '0'), received_at, sender, sender_key, client, origin,
            format('<%%s@contoso.com>', i), subject, size, CASE WHEN %(done)s THEN received_at END
        FROM messages, {_NUMBER} WHERE id = 1""",
    f"""INSERT INTO bodies SELECT i, size, prefix, octets, pieces FROM bodies, {_NUMBER}
        WHERE message = 1 AND NOT %(done)s""",
    f"""INSERT INTO submissions (id, message, part, received_at, sender_key, login, client, size,
            envelope, plan, route, account, mailbox, attempts, state, not_before, done_at)
        SELECT i, i, part, received_at, sender_key, login, client, size, envelope,
            jsonb_set(plan::jsonb, '{{lane,mailbox}}', to_jsonb({_MAILBOX}))::text, route,
            account, {_MAILBOX}, %(done)s::integer,
            CASE WHEN %(done)s THEN 'relayed' ELSE state END,
            CASE WHEN %(done)s THEN NULL ELSE not_before END,
            CASE WHEN %(done)s THEN received_at END
        FROM submissions, {_NUMBER} WHERE id = 1""",
    f"""INSERT INTO recipients SELECT address_key, i FROM recipients, {_NUMBER}
        WHERE submission = 1""",
    f"""INSERT INTO log (at, submission, what, reason, number, started_at, outcome)
        SELECT received_at, i, 'relayed', '', 1, received_at,
            '{{"kind":"Relayed","answer":{{"http_status":202}}}}'
        FROM submissions, {_NUMBER} WHERE id = 1 AND %(done)s""",
    """INSERT INTO lanes (account, mailbox, owner, term)
        SELECT DISTINCT account, mailbox, NULL, 0 FROM submissions ON CONFLICT DO NOTHING""",
    "SELECT setval(pg_get_serial_sequence('messages', 'id'), max(id)) FROM messages",
    "SELECT setval(pg_get_serial_sequence('submissions', 'id'), max(id)) FROM submissions",
)
