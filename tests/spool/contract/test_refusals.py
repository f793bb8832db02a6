"""Refusals of clients: counted, found again, and never more than a fixed number of rows."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import RefusalFilter
from graphrelay.spool.values import MOST_REFUSALS, REFUSALS_ADDED_UP, Refusal
from tests.clock import FakeClock
from tests.spool.contract.conftest import Engine
from tests.spool.mail import NOON, REFUSED

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
CONNECT = replace(
    REFUSED,
    client="192.0.2.8",
    stage="CONNECT",
    reply="554 5.7.1",
    login="",
    sender="",
    recipient="",
)


def at(moment: timedelta, refusal: Refusal = REFUSED, times: int = 1) -> Refusal:
    return replace(refusal, since=NOON + moment, at=NOON + moment, times=times)


async def listed(spool: Spool, wanted: RefusalFilter | None = None) -> list[Refusal]:
    return [row.refusal for row in await spool.read(wanted or RefusalFilter())]


async def test_a_refusal_comes_back_as_it_was_after_a_restart_too(engine: Engine) -> None:
    odd = replace(REFUSED, sender="a\udc80b", reason="ß\0")
    async with engine() as spool:
        await spool.note_refusals([odd, CONNECT])
    async with engine() as spool:
        assert await listed(spool) == [CONNECT, odd]


async def test_the_same_within_an_hour_is_one_row_with_the_sum(spool: Spool) -> None:
    await spool.note_refusals([at(0 * MINUTE), at(MINUTE, times=4)])
    await spool.note_refusals([at(59 * MINUTE)])
    assert await listed(spool) == [replace(REFUSED, at=NOON + 59 * MINUTE, times=6)]
    await spool.note_refusals([at(REFUSALS_ADDED_UP)])
    assert [refusal.times for refusal in await listed(spool)] == [1, 6]


@pytest.mark.parametrize(
    "name", [name for name in REFUSED.__slots__ if isinstance(getattr(REFUSED, name), str)]
)
async def test_what_differs_in_anything_is_a_row_of_its_own(spool: Spool, name: str) -> None:
    await spool.note_refusals([REFUSED, replace(REFUSED, **dict[str, Any]({name: "another"}))])
    assert [refusal.times for refusal in await listed(spool)] == [1, 1]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RefusalFilter(), "null connect one"),
        (RefusalFilter(limit=1), "null"),
        (RefusalFilter(client="192.0.2.8"), "connect"),
        (RefusalFilter(sender="scanner@CONTOSO.com"), "one"),
        (RefusalFilter(sender="@contoso.com"), "one"),
        (RefusalFilter(sender="<>"), "null"),
        (RefusalFilter(recipient="anna@example.org"), "null one"),
        (RefusalFilter(reply="5.1.2"), "null one"),
        (RefusalFilter(reply="5_1"), ""),
        (RefusalFilter(since=NOON + MINUTE), "null connect"),
        (RefusalFilter(until=NOON + MINUTE), "one"),
        (RefusalFilter(until=NOON), ""),
    ],
)
async def test_a_filter_finds_them(spool: Spool, wanted: RefusalFilter, found: str) -> None:
    null = at(2 * MINUTE, replace(REFUSED, sender="<>"))
    connect = at(MINUTE, CONNECT)
    names = {null: "null", connect: "connect", REFUSED: "one"}
    await spool.note_refusals([REFUSED, connect, null])
    assert " ".join(names[refusal] for refusal in await listed(spool, wanted)) == found


async def test_a_row_that_is_counted_up_comes_again_to_who_follows(spool: Spool) -> None:
    await spool.note_refusals([REFUSED, CONNECT])
    last = max(row.id for row in await spool.read(RefusalFilter()))
    assert await listed(spool, RefusalFilter(after_id=last)) == []
    await spool.note_refusals([at(MINUTE), at(MINUTE, replace(REFUSED, sender="b@contoso.com"))])
    (again, new) = await listed(spool, RefusalFilter(after_id=last))
    assert (again.times, again.sender) == (2, REFUSED.sender)
    assert (new.times, new.sender) == (1, "b@contoso.com")


async def test_more_than_the_most_push_out_the_oldest(spool: Spool) -> None:
    await spool.note_refusals(
        [replace(REFUSED, recipient=f"{number}@example.org") for number in range(MOST_REFUSALS + 7)]
    )
    rows = await listed(spool, RefusalFilter(limit=2 * MOST_REFUSALS))
    assert len(rows) == MOST_REFUSALS
    assert rows[-1].recipient == "7@example.org"


async def test_what_was_refused_long_ago_is_forgotten(spool: Spool, clock: FakeClock) -> None:
    await spool.note_refusals([REFUSED, at(DAY, CONNECT)])
    clock.set_wall_clock(NOON + 90 * DAY + MINUTE)
    house = asyncio.create_task(spool.keep_house(90 * DAY))
    async with asyncio.timeout(10):
        while len(found := await listed(spool)) == 2:
            await clock.advance(MINUTE)
    house.cancel()
    assert found == [at(DAY, CONNECT)]
