"""From the queue to Graph and back: loading, beginning and finishing, for many at once.

    queued ──begin──▶ queued + a row in in_flight ──finish──▶ queued | held | relayed | failed

Every write names the term of its lane. The row of the lane is locked until the commit: so no other
relay takes the lane between the look at the term and the commit, and who takes it afterwards sees
what is in flight.
"""

# ruff: noqa: S608 (our own words; values are bound)

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from graphrelay.model import (
    Attempt,
    Body,
    Done,
    Held,
    InlineBody,
    Lane,
    NextState,
    Queued,
    QueueEntry,
    Relayed,
    Submission,
)
from graphrelay.spool.codec import (
    DRAFT,
    ENVELOPE,
    MICROSECOND,
    ORIGIN,
    OUTCOME,
    PLAN,
    microseconds,
    moment,
)
from graphrelay.spool.errors import ENDED, MOST_STARTS, NotQueued
from graphrelay.spool.postgres.bodies import Pieces
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.database_clock import NOW, DatabaseClock
from graphrelay.spool.postgres.text import restored, storable
from graphrelay.spool.postgres.writer import Cursors
from graphrelay.spool.queue_ids import part_id
from graphrelay.spool.values import Interrupted

_HELD = """held AS MATERIALIZED (
        SELECT account, mailbox, term FROM lanes
        WHERE (account, mailbox) IN (SELECT account, mailbox FROM wanted) AND owner = %(relay)s
        ORDER BY account, mailbox FOR SHARE
    )"""
"""The lanes of `wanted` that are leased to this relay, and stay so until the commit."""


@dataclass(frozen=True, slots=True)
class OctetsLost:
    """The submission was held, since it cannot be read."""

    queue_id: str
    reason: str


Found = Submission | OctetsLost

# --- Loading -------------------------------------------------------------------------------------

_LOAD = """SELECT s.id, m.queue_id, s.part, s.envelope, m.origin, s.plan, s.received_at,
           m.message_id, b.prefix, b.octets, b.pieces, b.size, s.attempts, d.progress, s.done_at
    FROM submissions s JOIN messages m ON m.id = s.message
    LEFT JOIN bodies b ON b.message = m.id LEFT JOIN drafts d ON d.submission = s.id
    WHERE s.id = ANY(%s::bigint[]) AND (s.done_at IS NULL OR (%s AND b.message IS NOT NULL))"""


class Loader:
    """Reads submissions with their bodies."""

    def __init__(self, pieces: Pieces, term: Callable[[Lane], int]) -> None:
        self._pieces = pieces
        self._term = term

    async def execute(
        self, connection: Connection, ids: Sequence[int], *, kept: bool = False
    ) -> Any:
        """A cursor for `found`; with `kept` also for what is done and has its octets."""
        return await connection.cursor(binary=True).execute(_LOAD, (list(ids), kept))

    async def found(self, cursor: Any) -> dict[int, Found]:
        return {row[0]: self._submission(row) for row in await cursor.fetchall()}

    def _submission(self, row: tuple[Any, ...]) -> Found:
        queue_id, part, envelope, origin, plan, received_at, message_id = row[1:8]
        try:
            decided = PLAN.value(plan)
            return Submission(
                id=row[0],
                queue_id=part_id(queue_id, part),
                envelope=ENVELOPE.value(envelope),
                origin=ORIGIN.value(origin),
                plan=decided,
                received_at=moment(received_at),
                message_id=restored(message_id),
                prefix=row[8] or b"",
                body=self._body(*row[9:12]),
                attempts=row[12],
                draft=None if row[13] is None else DRAFT.value(row[13]),
                term=self._term(decided.lane),
            )
        except (ValueError, FileNotFoundError) as error:
            if row[14] is not None:
                raise NotQueued(f"The octets of submission {row[0]} are gone.") from error
            return OctetsLost(part_id(queue_id, part), f"Its octets are lost: {error}")

    def _body(self, octets: bytes | None, pieces: str | None, size: int | None) -> Body:
        if octets is not None:
            return InlineBody(octets)
        if pieces is None or size is None:
            raise FileNotFoundError("there is no row for them")
        return self._pieces.body(pieces, size)


async def hold_lost(
    connection: Connection, clock: DatabaseClock, submission: int, reason: str, now: datetime
) -> None:
    """A submission that cannot be read waits for a person; it is never sent, nor forgotten."""
    await connection.execute("DELETE FROM in_flight WHERE submission = %s", (submission,))
    await set_state(connection, clock, submission, Held(reason), now)
    await note(connection, submission, "held", reason, now)


# --- Reading to send -----------------------------------------------------------------------------

_MARK = f"""WITH wanted AS (
        SELECT * FROM unnest(%(ids)s::bigint[], %(accounts)s::text[], %(mailboxes)s::text[],
                             %(terms)s::bigint[]) AS w (id, account, mailbox, term)
    ), {_HELD}, waiting AS (
        SELECT s.id, r.starts, r.process FROM wanted w JOIN held USING (account, mailbox, term)
        JOIN submissions s ON s.id = w.id AND s.account = w.account AND s.mailbox = w.mailbox
        LEFT JOIN readings r ON r.submission = s.id
        WHERE s.state = 'queued' AND NOT EXISTS (SELECT FROM in_flight f WHERE f.submission = s.id)
    ), lost AS (
        SELECT id FROM waiting WHERE process <> %(process)s AND starts >= {MOST_STARTS}
    ), ended AS (
        UPDATE submissions SET state = 'held', not_before = NULL, reason = %(ended)s
        WHERE id IN (SELECT id FROM lost) RETURNING id
    ), noted AS (
        INSERT INTO log (at, submission, what, reason)
        SELECT %(now)s, id, 'held', %(ended)s FROM ended
    ), unmarked AS (
        DELETE FROM readings WHERE submission IN (SELECT id FROM lost)
    ), marked AS (
        INSERT INTO readings (submission, starts, process)
        SELECT id, 1, %(process)s FROM waiting WHERE id NOT IN (SELECT id FROM lost)
            AND process IS DISTINCT FROM %(process)s
        ON CONFLICT (submission) DO UPDATE SET
            starts = readings.starts + 1, process = excluded.process
    )
    SELECT id, id IN (SELECT id FROM lost) FROM waiting"""


@dataclass(frozen=True, slots=True)
class Reading:
    """To be read in order to be sent, in this term of its lane."""

    entry: QueueEntry
    term: int


class MarkAndLoad:
    """writer.Kind: counts a process once, however often it reads the message."""

    doing = "load a message"

    def __init__(
        self, loader: Loader, process: str, relay: Callable[[], str], now: Callable[[], datetime]
    ) -> None:
        self._loader = loader
        self._process = process
        self._relay = relay
        self._now = now

    def key(self, value: Reading) -> object:
        return value.entry.submission_id

    async def send(self, connection: Connection, values: Sequence[Reading]) -> Cursors:
        ids = [value.entry.submission_id for value in values]
        mark = await connection.execute(
            _MARK,
            {
                "ids": ids,
                "accounts": [storable(value.entry.lane.account) for value in values],
                "mailboxes": [storable(value.entry.lane.mailbox) for value in values],
                "terms": [value.term for value in values],
                "process": self._process,
                "relay": self._relay(),
                "ended": ENDED,
                "now": microseconds(self._now()),
            },
        )
        return [mark, await self._loader.execute(connection, ids)]

    async def answers(
        self, cursors: Cursors, values: Sequence[Reading]
    ) -> Sequence[Submission | OctetsLost | BaseException]:
        marked = dict(await cursors[0].fetchall())
        found = await self._loader.found(cursors[1])
        return [self._answer(value, marked, found) for value in values]

    def _answer(
        self, value: Reading, marked: dict[int, bool], found: dict[int, Found]
    ) -> Found | BaseException:
        number = value.entry.submission_id
        if number not in marked or number not in found:
            return NotQueued(f"The submission {number} is not waiting in {value.entry.lane}.")
        one = found[number]
        if marked[number]:
            return OctetsLost(one.queue_id, ENDED)
        return replace(one, term=value.term) if isinstance(one, Submission) else one


# --- An attempt ----------------------------------------------------------------------------------

_BEGIN = f"""WITH wanted AS (
        SELECT * FROM unnest(%(ids)s::bigint[], %(accounts)s::text[], %(mailboxes)s::text[],
                             %(terms)s::bigint[], %(attempts)s::integer[],
                             %(started)s::bigint[], %(requests)s::text[])
            AS w (id, account, mailbox, term, attempts, started_at, client_request_id)
    ), {_HELD}, begun AS (
        UPDATE submissions s SET attempts = s.attempts + 1
        FROM wanted w JOIN held USING (account, mailbox, term)
        WHERE s.id = w.id AND s.account = w.account AND s.mailbox = w.mailbox
          AND s.state = 'queued' AND s.attempts = w.attempts
          AND NOT EXISTS (SELECT FROM in_flight f WHERE f.submission = s.id)
        RETURNING s.id, s.attempts, w.started_at, w.client_request_id, w.term
    ), unmarked AS (
        DELETE FROM readings WHERE submission IN (SELECT id FROM begun)
    ), marked AS (
        INSERT INTO in_flight (submission, number, started_at, client_request_id, begun_at, term)
        SELECT id, attempts, started_at, client_request_id, {NOW}, term FROM begun
    )
    SELECT id, attempts FROM begun"""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A request may be on its way from here on."""

    submission: Submission
    term: int
    started_at: datetime
    client_request_id: str


_WITHDRAW = f"""WITH wanted AS (
        SELECT %(account)s::text AS account, %(mailbox)s::text AS mailbox
    ), {_HELD}
    DELETE FROM in_flight WHERE submission = %(id)s AND number = %(number)s
        AND term = %(term)s AND term IN (SELECT term FROM held)"""


async def withdraw(connection: Connection, begun: Beginning, number: int, relay: str) -> None:
    """The request was never made. Where the lane has another owner, that one settles it."""
    lane = begun.submission.plan.lane
    await connection.execute(
        _WITHDRAW,
        {
            "id": begun.submission.id,
            "number": number,
            "account": storable(lane.account),
            "mailbox": storable(lane.mailbox),
            "term": begun.term,
            "relay": relay,
        },
    )


class Begin:
    """writer.Kind: the durable mark before a request goes out; the attempt's number."""

    doing = "record an attempt"

    def __init__(self, relay: Callable[[], str]) -> None:
        self._relay = relay

    def key(self, value: Beginning) -> object:
        return value.submission.id

    async def send(self, connection: Connection, values: Sequence[Beginning]) -> Cursors:
        lanes = [value.submission.plan.lane for value in values]
        begun = await connection.execute(
            _BEGIN,
            {
                "ids": [value.submission.id for value in values],
                "accounts": [storable(lane.account) for lane in lanes],
                "mailboxes": [storable(lane.mailbox) for lane in lanes],
                "terms": [value.term for value in values],
                "attempts": [value.submission.attempts for value in values],
                "started": [microseconds(value.started_at) for value in values],
                "requests": [value.client_request_id for value in values],
                "relay": self._relay(),
            },
        )
        return [begun]

    async def answers(
        self, cursors: Cursors, values: Sequence[Beginning]
    ) -> Sequence[int | BaseException]:
        begun = dict(await cursors[0].fetchall())
        return [
            begun.get(
                value.submission.id,
                NotQueued(f"The submission {value.submission.id} does not wait for an attempt."),
            )
            for value in values
        ]


# --- What came of it -----------------------------------------------------------------------------

_FINISH = f"""WITH wanted AS (
        SELECT * FROM unnest(%(ids)s::bigint[], %(accounts)s::text[], %(mailboxes)s::text[],
            %(terms)s::bigint[], %(numbers)s::integer[], %(started)s::bigint[], %(ats)s::bigint[],
            %(whats)s::text[], %(reasons)s::text[], %(outcomes)s::text[], %(states)s::text[],
            %(not_befores)s::bigint[], %(whys)s::text[], %(dones)s::bigint[], %(notes)s::text[])
            AS w (id, account, mailbox, term, number, started_at, at, what, reason, outcome, state,
                  not_before, why, done_at, note)
    ), {_HELD}, ours AS (
        SELECT w.* FROM wanted w JOIN held USING (account, mailbox, term)
    ), ended AS (
        DELETE FROM in_flight f USING ours o WHERE f.submission = o.id AND f.number = o.number
        RETURNING o.*
    ), logged AS (
        INSERT INTO log (at, submission, what, reason, number, started_at, outcome)
        SELECT at, id, what, reason, number, started_at, outcome FROM (
            SELECT id, 0 AS place, at, what, reason, number, started_at, outcome FROM ended
            UNION ALL
            SELECT id, 1, at, note, why, NULL, NULL, NULL FROM ended WHERE note IS NOT NULL
        ) rows ORDER BY id, place
    ), changed AS (
        UPDATE submissions s SET state = e.state, not_before = e.not_before, reason = e.why,
                                 done_at = e.done_at
        FROM ended e WHERE s.id = e.id
    ), settled AS (
        DELETE FROM drafts d USING ended e WHERE d.submission = e.id AND e.what = 'relayed'
        RETURNING d.draft, d.submission, d.sending, e.account, e.mailbox
    ), left_behind AS (
        INSERT INTO left_drafts (draft, submission, account, mailbox)
        SELECT draft, submission, account, mailbox FROM settled WHERE NOT sending
        ON CONFLICT DO NOTHING
    )
    SELECT id, id IN (SELECT id FROM ended),
           EXISTS (SELECT FROM log l WHERE l.submission = o.id AND l.number = o.number)
    FROM ours o"""
_LOCK_MESSAGES = """SELECT id FROM messages
    WHERE id IN (SELECT message FROM submissions WHERE id = ANY(%s::bigint[]))
    ORDER BY id FOR NO KEY UPDATE"""
_CLOSE = """WITH closed AS (
        UPDATE messages m SET done_at = (SELECT max(s.done_at) FROM submissions s
                                         WHERE s.message = m.id)
        WHERE m.id IN (SELECT message FROM submissions WHERE id = ANY(%s::bigint[]))
          AND NOT EXISTS (SELECT FROM submissions s WHERE s.message = m.id AND s.done_at IS NULL)
        RETURNING m.id
    ), gone AS (
        DELETE FROM bodies WHERE message IN (SELECT id FROM closed) AND NOT %s RETURNING pieces
    )
    DELETE FROM pieces WHERE body IN (SELECT pieces FROM gone)"""


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of an attempt, and what follows."""

    submission: Submission
    term: int
    attempt: Attempt
    following: NextState


class Finish:
    """writer.Kind: doing it again with the same number changes nothing. False if it had been done
    before."""

    doing = "record an outcome"

    def __init__(
        self, relay: Callable[[], str], clock: DatabaseClock, *, keep_octets: bool
    ) -> None:
        """`keep_octets`: also of messages that are done."""
        self._relay = relay
        self._clock = clock
        self._keep_octets = keep_octets

    def key(self, value: Ending) -> object:
        return value.submission.id

    async def send(self, connection: Connection, values: Sequence[Ending]) -> Cursors:
        names = (
            "ids", "accounts", "mailboxes", "terms", "numbers", "started", "ats", "whats",
            "reasons", "outcomes", "states", "not_befores", "whys", "dones", "notes",
        )  # fmt: skip
        columns = zip(*(self._row(value) for value in values), strict=True)
        lists = dict(zip(names, map(list, columns), strict=True))
        cursors = [await connection.execute(_FINISH, {**lists, "relay": self._relay()})]
        done = [value.submission.id for value in values if isinstance(value.following, Done)]
        if done:
            await close_if_done(connection, done, keep_octets=self._keep_octets)
        return cursors

    def _row(self, value: Ending) -> tuple[Any, ...]:
        lane, attempt, outcome = value.submission.plan.lane, value.attempt, value.attempt.outcome
        what = type(outcome).__name__.lower()
        reason = outcome.answer.message if isinstance(outcome, Relayed) else outcome.reason
        state, not_before, why, done_at = columns_of(
            value.following, attempt.finished_at, self._clock
        )
        is_in_outcome = isinstance(value.following, Queued) or state == what
        return (
            value.submission.id,
            storable(lane.account),
            storable(lane.mailbox),
            value.term,
            attempt.number,
            microseconds(attempt.started_at),
            microseconds(attempt.finished_at),
            what,
            storable(reason),
            OUTCOME.text(outcome),
            state,
            not_before,
            why,
            done_at,
            None if is_in_outcome else state,
        )

    async def answers(
        self, cursors: Cursors, values: Sequence[Ending]
    ) -> Sequence[bool | BaseException]:
        ours = {number: tuple(rest) for number, *rest in await cursors[0].fetchall()}
        return [self._answer(value, ours.get(value.submission.id)) for value in values]

    def _answer(self, value: Ending, found: tuple[bool, bool] | None) -> bool | BaseException:
        number = value.submission.id
        if found is None:
            return NotQueued(f"The lane of submission {number} is not this relay's any more.")
        ended, known = found
        if not ended and not known:
            return NotQueued(
                f"The attempt {value.attempt.number} at submission {number} is unknown."
            )
        return ended


async def finish_one(connection: Connection, finish: Finish, ending: Ending) -> bool:
    """In a transaction of the caller's. Raises `NotQueued`."""
    (answer,) = await finish.answers(await finish.send(connection, [ending]), [ending])
    if isinstance(answer, BaseException):
        raise answer
    return answer


# --- What others began ---------------------------------------------------------------------------

_INTERRUPTED = f"""SELECT f.submission, m.queue_id, s.part, f.number, f.started_at,
        f.client_request_id, s.account, s.mailbox, f.begun_at - {NOW}
    FROM in_flight f
    JOIN submissions s ON s.id = f.submission JOIN messages m ON m.id = s.message
    JOIN lanes l ON l.account = s.account AND l.mailbox = s.mailbox
    WHERE l.owner = %s AND f.term < l.term ORDER BY f.submission"""


async def interrupted(
    connection: Connection, relay: str, request_limit: timedelta
) -> list[Interrupted]:
    """Attempts that were begun under an earlier lease of this relay's lanes. Their requests may go
    on for `request_limit`."""
    found = await connection.execute(_INTERRUPTED, (relay,))
    return [
        Interrupted(
            submission_id=number,
            queue_id=part_id(queue_id, part),
            number=attempt,
            started_at=moment(started_at),
            client_request_id=client_request_id,
            lane=Lane(restored(account), restored(mailbox)),
            settle_in=max(request_limit + begun * MICROSECOND, timedelta(0)),
        )
        async for (
            number,
            queue_id,
            part,
            attempt,
            started_at,
            client_request_id,
            account,
            mailbox,
            begun,
        ) in found
    ]


# --- What several works share --------------------------------------------------------------------


def columns_of(
    state: NextState, now: datetime, clock: DatabaseClock
) -> tuple[str, int | None, str, int | None]:
    """`state`, `not_before`, `reason` and `done_at`."""
    match state:
        case Queued(not_before):
            return "queued", clock.theirs(not_before), "", None
        case Held(reason):
            return "held", None, storable(reason), None
        case Done(how, reason):
            return how, None, storable(reason), microseconds(now)


async def set_state(
    connection: Connection,
    clock: DatabaseClock,
    submission: int,
    state: NextState,
    now: datetime,
) -> None:
    columns = columns_of(state, now, clock)
    await connection.execute(
        "UPDATE submissions SET state = %s, not_before = %s, reason = %s, done_at = %s"
        " WHERE id = %s",
        (*columns, submission),
    )


async def note(
    connection: Connection, submission: int, what: str, reason: str, now: datetime
) -> None:
    """A line of the mail log that is no attempt."""
    await connection.execute(
        "INSERT INTO log (at, submission, what, reason) VALUES (%s, %s, %s, %s)",
        (microseconds(now), submission, what, storable(reason)),
    )


async def close_if_done(
    connection: Connection, submissions: Sequence[int], *, keep_octets: bool = False
) -> None:
    """Where no part of a message waits any more, it is done, and its octets go; the mail log stays.

    The messages are locked first: of two relays that finish the last two parts at the same time
    the second one sees what the first one did.
    """
    await connection.execute(_LOCK_MESSAGES, (list(submissions),))
    await connection.execute(_CLOSE, (list(submissions), keep_octets))
