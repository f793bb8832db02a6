"""Lists and look-ups: the requested rows, in order, without blocking the writer."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.model import Address, Done, Lane, NewMessage, Origin, Queued, Submission
from graphrelay.spool.changes import Hold
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import (
    Count,
    HistoryOf,
    LogFilter,
    QueueFilter,
    SharesMessageId,
    Tally,
)
from graphrelay.spool.sqlite import SqliteSpool
from tests.clock import FakeClock
from tests.spool.mail import ANNA, BERT, NOON, a_message, delayed, plan, put, relayed, waiting_in

HOUR = timedelta(hours=1)
OTHER = Lane("other", "o@fabrikam.com")


async def relay(spool: Spool, submission: Submission) -> None:
    number = await spool.begin(submission, NOON, "c")
    await spool.finish(submission, relayed(number), Done("relayed"))


MAIL: dict[str, NewMessage] = {
    "plain": a_message(),
    "null sender": a_message(sender=None, received_at=NOON + HOUR),
    "other lane": a_message(
        (plan(OTHER, "routes[1]"), (BERT,)),
        sender=Address("Ops", "Fabrikam.com"),
        received_at=NOON + 2 * HOUR,
        origin=Origin(listener="l", client="10.0.0.7"),
    ),
    "held": a_message(received_at=NOON + 3 * HOUR),
}


@pytest.fixture
async def names(spool: Spool) -> dict[int, str]:
    """Stores everything in MAIL; returns which submission is which."""
    found = {}
    for name, message in MAIL.items():
        (submission,) = await put(spool, message=message)
        found[submission.id] = name
        if name == "held":
            await spool.change(Hold(submission.id, "odd"))
    return found


@pytest.mark.parametrize(
    "wanted", ["@straße.example", "@xn--strae-oqa.example", "a@STRAßE.example"]
)
async def test_the_mail_of_one_domain_is_not_that_of_another_that_folds_to_it(
    spool: Spool, wanted: str
) -> None:
    """`queue delete --sender` acts on what is listed here."""
    for domain in ("straße.example", "strasse.example"):
        await put(spool, message=a_message(sender=Address("a", domain)))
    rows = await spool.read(QueueFilter(sender=wanted))
    assert [str(row.sender) for row in rows] == ["a@straße.example"]
    rows = await spool.read(QueueFilter(sender="@strasse.example"))
    assert [str(row.sender) for row in rows] == ["a@strasse.example"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (QueueFilter(), ["plain", "null sender", "other lane", "held"]),
        (QueueFilter(state="queued"), ["plain", "null sender", "other lane"]),
        (QueueFilter(state="held"), ["held"]),
        (QueueFilter(account="other"), ["other lane"]),
        (QueueFilter(mailbox="o@fabrikam.com"), ["other lane"]),
        (QueueFilter(route="routes[1]"), ["other lane"]),
        (QueueFilter(sender="ops@fabrikam.COM"), ["other lane"]),
        (QueueFilter(sender="<ops@fabrikam.com>"), ["other lane"]),
        (QueueFilter(sender="@FABRIKAM.com"), ["other lane"]),
        (QueueFilter(sender="@rikam.com"), []),
        (QueueFilter(sender="<>"), ["null sender"]),
        (QueueFilter(recipient="bert@EXAMPLE.org"), ["other lane"]),
        (QueueFilter(recipient="nobody@example.org"), []),
        (QueueFilter(received_before=NOON + 2 * HOUR), ["plain", "null sender"]),
        (QueueFilter(limit=1), ["plain"]),
        (QueueFilter(after_id=2), ["other lane", "held"]),
        (QueueFilter(sender="' OR 1 --"), []),
    ],
)
async def test_the_queue_lists_what_is_asked_for_oldest_first(
    spool: Spool, names: dict[int, str], wanted: QueueFilter, expected: list[str]
) -> None:
    rows = await spool.read(wanted)
    assert [names[row.submission_id] for row in rows] == expected


async def test_a_row_of_the_queue_says_where_it_stands(spool: Spool) -> None:
    (submission,) = await put(spool)
    await spool.begin(submission, NOON, "c")
    await spool.finish(submission, delayed(reason="busy"), Queued(NOON + HOUR))
    await spool.begin(await spool.load(submission.id), NOON + HOUR, "d")
    (row,) = await spool.read(QueueFilter())
    assert row.sender == Address("wp", "contoso.com")
    assert row.recipients == (ANNA,)
    assert (row.subject, row.size, row.attempts, row.last) == ("Order 4711", 7, 2, "busy")
    assert row.state == Queued(NOON + HOUR)
    assert row.in_flight_since == NOON + HOUR


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (LogFilter(), ["other lane", "null sender", "plain", "held"]),
        (LogFilter(after_id=0), ["held", "plain", "null sender", "other lane"]),
        (LogFilter(after_id=2), ["null sender", "other lane"]),
        (LogFilter(outcome="relayed"), ["other lane", "null sender", "plain"]),
        (LogFilter(outcome="held"), ["held"]),
        (LogFilter(sender="@fabrikam.com"), ["other lane"]),
        (LogFilter(sender="<>"), ["null sender"]),
        (LogFilter(recipient="bert@example.org"), ["other lane"]),
        (LogFilter(client="10.0.0.7"), ["other lane"]),
        (LogFilter(before_id=3), ["plain", "held"]),
        (LogFilter(before_id=3, limit=1), ["plain"]),
        (LogFilter(subject="ORDER 47", limit=1), ["other lane"]),
        (LogFilter(subject="4711%"), []),
        (LogFilter(subject="Order_4711"), []),
        (LogFilter(subject="\\"), []),
        (LogFilter(since=NOON + HOUR), []),
        (LogFilter(until=NOON), []),
        (LogFilter(limit=2), ["other lane", "null sender"]),
        (LogFilter(queue_id="0000000000"), []),
    ],
)
async def test_the_mail_log_lists_what_is_asked_for(
    spool: Spool, names: dict[int, str], wanted: LogFilter, expected: list[str]
) -> None:
    for number in await waiting_in(spool):
        await relay(spool, await spool.load(number))
    rows = await spool.read(wanted)
    assert [names[row.submission_id] for row in rows] == expected


async def test_a_row_of_the_log_says_who_when_to_whom_and_what_came_of_it(spool: Spool) -> None:
    (submission,) = await put(spool)
    await relay(spool, submission)
    (row,) = await spool.read(LogFilter(queue_id=submission.queue_id))
    assert row.outcome == relayed().outcome
    assert (row.number, row.started_at, row.at) == (1, NOON, NOON)
    assert (row.client, row.subject, row.size) == ("127.0.0.1", "Order 4711", 7)
    assert row.lane == submission.plan.lane


async def test_the_log_is_added_up_by_hours(spool: Spool) -> None:
    hours = (0, 0, 1, 3)
    for hour in hours:
        (submission,) = await put(spool, message=a_message(received_at=NOON))
        number = await spool.begin(submission, NOON, "c")
        at = NOON + hour * HOUR + timedelta(seconds=7)
        attempt = replace(relayed(number), finished_at=at)
        await spool.finish(submission, attempt, Done("relayed"))
    half = HOUR / 2
    rows = await spool.read(Tally(since=NOON + half, waits=True))
    assert [(row.start, row.what, row.count) for row in rows] == [
        (NOON + half, "relayed", 1),
        (NOON + half + 2 * HOUR, "relayed", 1),
    ], "counted from the moment, in zones that are half an hour from UTC"
    assert [row.waited for row in rows] == [
        HOUR + timedelta(seconds=7),
        3 * HOUR + timedelta(seconds=7),
    ]
    rows = await spool.read(Tally(since=NOON))
    assert [(row.count, row.waited) for row in rows] == [(n, timedelta(0)) for n in (2, 1, 1)]


async def test_the_log_can_be_asked_for_one_part(spool: Spool) -> None:
    parts = await put(spool, message=a_message((plan(), (ANNA,)), (plan(), (BERT,))))
    for part in parts:
        await relay(spool, part)
    (row,) = await spool.read(LogFilter(queue_id=parts[1].queue_id))
    assert row.recipients == (BERT,)


async def test_a_message_that_nobody_knows_has_no_history(spool: Spool) -> None:
    assert await spool.read(HistoryOf("0000000000")) is None
    assert await spool.read(HistoryOf("")) is None


async def test_showing_a_message_shows_all_that_is_known(spool: Spool) -> None:
    (submission,) = await put(spool, message=MAIL["other lane"])
    await spool.begin(submission, NOON, "c")
    shown = await spool.read(HistoryOf(f"{submission.queue_id}/1"))
    assert shown is not None
    assert shown.queue_id == submission.queue_id
    assert shown.sender == Address("Ops", "Fabrikam.com")
    assert shown.origin == submission.origin
    assert shown.message_id == submission.message_id
    assert shown.octets_kept
    (part,) = shown.parts
    assert (part.plan, part.recipients) == (submission.plan, (BERT,))
    assert part.in_flight is not None
    assert (part.in_flight.number, part.in_flight.client_request_id) == (1, "c")


async def test_the_figures(spool: Spool, names: dict[int, str]) -> None:
    await spool.begin(await spool.load(1), NOON, "c")
    stats = await spool.read(Count())
    assert (stats.queued, stats.held, stats.in_flight) == (3, 1, 1)
    assert stats.octets == 4 * 7
    assert stats.oldest == NOON
    assert stats.free is None or stats.free > 0


async def test_the_octets_of_a_message_count_once_until_its_last_part_is_done(
    spool: Spool,
) -> None:
    parts = await put(spool, message=a_message((plan(), (ANNA,)), (plan(), (BERT,))))
    found = [(await spool.read(Count())).octets]
    for part in parts:
        await relay(spool, part)
        found.append((await spool.read(Count())).octets)
    assert found == [7, 7, 0]


async def test_an_empty_spool_has_figures_too(spool: Spool) -> None:
    stats = await spool.read(Count())
    assert (stats.queued, stats.held, stats.octets, stats.oldest) == (0, 0, 0, None)


@pytest.fixture
async def reopened(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> AsyncIterator[tuple[Spool, str]]:
    async with SqliteSpool.open(tmp_path / "again", clock, journal, reserve=0) as spool:
        (submission,) = await put(spool)
    async with SqliteSpool.open(tmp_path / "again", clock, journal, reserve=0) as spool:
        yield spool, submission.queue_id


async def test_reading_works_before_anything_was_written(reopened: tuple[Spool, str]) -> None:
    spool, queue_id = reopened
    assert [row.queue_id for row in await spool.read(QueueFilter())] == [queue_id]


async def test_another_message_or_part_with_the_same_message_id_is_known(spool: Spool) -> None:
    (alone,) = await put(spool, message=a_message())
    wanted = SharesMessageId(alone.message_id, besides=alone.id)
    assert not await spool.read(wanted)
    assert await spool.read(SharesMessageId(alone.message_id, besides=0))
    await put(spool, message=a_message())
    assert await spool.read(wanted)
