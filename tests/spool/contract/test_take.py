"""What is due in a lane: whose turn it is, and when there will be more."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from graphrelay.model import Address, Lane, Queued, QueueEntry, Submission
from graphrelay.spool.changes import Hold
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import Backlogs
from graphrelay.spool.values import LARGE, Backlog, Batch, Take
from tests.clock import FakeClock
from tests.spool.contract.conftest import Engine
from tests.spool.mail import ANNA, NOON, ORIGIN, WEBSITE, a_message, delayed, plan, put

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
ALERTS = Lane("alerts", "info@contoso.com")


def asked(limit: int = 16, **more: Any) -> Take:
    return Take(**{"lane": WEBSITE, "limit": limit, "longest_wait": HOUR, **more})


async def mail(
    spool: Spool,
    sender: str = "wp",
    age: int = 0,
    lane: Lane = WEBSITE,
    size: int = 10,
    client: str = "127.0.0.1",
    login: str | None = None,
) -> Submission:
    new = a_message(
        (plan(lane), (ANNA,)),
        sender=Address(sender, "contoso.com"),
        received_at=NOON - age * SECOND,
        origin=replace(ORIGIN, client=client, login=login),
    )
    (one,) = await put(spool, bytes(size), new)
    return one


async def delay(spool: Spool, one: Submission, until: timedelta) -> None:
    number = await spool.begin(one, NOON, "c")
    await spool.finish(one, delayed(number), Queued(NOON + until))


def after(entry: QueueEntry) -> dict[tuple[str, ...], str]:
    """Whose turn was last."""
    whose = entry.login, entry.client, entry.sender
    return {whose[:level]: whose[level] for level in range(3)}


def numbers(batch: Batch) -> list[int]:
    return [one.submission_id for one in batch.entries]


async def test_an_empty_lane_has_nothing(spool: Spool) -> None:
    assert await spool.lanes() == ()
    assert await spool.take(asked()) == Batch(
        entries=(), more_small=False, more_large=False, next_in=None
    )


async def test_each_lane_has_its_own(spool: Spool) -> None:
    one, two = await mail(spool), await mail(spool, lane=ALERTS)
    assert set(await spool.lanes()) == {WEBSITE, ALERTS}
    assert numbers(await spool.take(asked())) == [one.id]
    assert numbers(await spool.take(asked(lane=ALERTS))) == [two.id]


async def test_an_entry_says_what_the_queue_needs(spool: Spool) -> None:
    one = await mail(spool, "alerts", age=5)
    (entry,) = (await spool.take(asked())).entries
    assert (entry.submission_id, entry.lane) == (one.id, WEBSITE)
    assert (entry.received_at, entry.sender) == (one.received_at, "alerts@contoso.com")
    assert (entry.size, entry.login, entry.client) == (one.size, "", "127.0.0.1")


async def test_within_a_sender_the_oldest_come_first(spool: Spool) -> None:
    ages = 5, 60, 1, 30
    one, two, three, four = [await mail(spool, age=age) for age in ages]
    assert numbers(await spool.take(asked())) == [two.id, four.id, one.id, three.id]
    batch = await spool.take(asked(limit=2))
    assert (numbers(batch), batch.more_small) == ([two.id, four.id], True)


async def test_one_message_of_a_sender_does_not_wait_behind_a_thousand_of_another(
    spool: Spool,
) -> None:
    await asyncio.gather(*(mail(spool, "news", age=10) for _ in range(1000)))
    alarm = await mail(spool, "zabbix")
    batch = await spool.take(asked())
    assert len(batch.entries) <= 16
    assert alarm.id in numbers(batch)
    assert batch.more_small


async def test_senders_that_do_not_fit_have_their_turn_after_the_last(spool: Spool) -> None:
    everyone = [await mail(spool, f"s{number:02}") for number in range(10)]
    seen, last = list[int](), dict[tuple[str, ...], str]()
    for _ in range(5):
        batch = await spool.take(asked(limit=4, after_small=last))
        assert batch.more_small
        seen += numbers(batch)
        last = after(batch.entries[-1])
    assert seen == 2 * [one.id for one in everyone]


@pytest.mark.parametrize(("client", "login"), [("10.0.0.9", None), ("127.0.0.1", "zabbix")])
async def test_a_client_that_makes_up_a_sender_for_each_message_delays_no_other(
    spool: Spool, client: str, login: str | None
) -> None:
    await asyncio.gather(*(mail(spool, f"bounce-{number}", age=9) for number in range(500)))
    alarm = await mail(spool, "zabbix", client=client, login=login)
    batch = await spool.take(asked())
    assert alarm.id in numbers(batch)
    assert len(batch.entries) <= 16


async def test_a_login_with_many_clients_delays_no_other(spool: Spool) -> None:
    for number in range(40):
        await mail(spool, client=f"2001:db8::{number:x}", login="scanner")
    alarm = await mail(spool, login="zabbix")
    assert alarm.id in numbers(await spool.take(asked(limit=4)))


async def test_clients_that_do_not_fit_have_their_turn_after_the_last(spool: Spool) -> None:
    everyone = [await mail(spool, client=f"10.0.0.{number}") for number in range(10, 20)]
    seen, last = list[int](), dict[tuple[str, ...], str]()
    for _ in range(5):
        batch = await spool.take(asked(limit=4, after_small=last))
        seen += numbers(batch)
        last = after(batch.entries[-1])
    assert seen == 2 * [one.id for one in everyone]


async def test_large_messages_take_turns_of_their_own(spool: Spool) -> None:
    large = [await mail(spool, age=100, size=LARGE) for _ in range(3)]
    small = await mail(spool, size=LARGE - 1)
    batch = await spool.take(asked(limit=2))
    assert numbers(batch) == [small.id, large[0].id, large[1].id]
    assert (batch.more_small, batch.more_large) == (False, True)


async def test_what_the_queue_has_is_in_flight_or_held_is_left_out(spool: Spool) -> None:
    had, begun, held, due = [await mail(spool) for _ in range(4)]
    await spool.begin(begun, NOON, "c")
    await spool.change(Hold(held.id, "wait"))
    assert numbers(await spool.take(asked(besides=frozenset({had.id})))) == [due.id]


async def test_what_is_not_due_yet_is_left_out_and_said_when(
    spool: Spool, clock: FakeClock
) -> None:
    early, late = await mail(spool, age=9), await mail(spool)
    await delay(spool, early, 30 * SECOND)
    await delay(spool, late, 60 * SECOND)
    batch = await spool.take(asked())
    assert (numbers(batch), batch.next_in) == ([], 30 * SECOND)
    await clock.advance(30 * SECOND)
    batch = await spool.take(asked())
    assert (numbers(batch), batch.next_in) == ([early.id], 30 * SECOND)


@pytest.mark.parametrize("hours", [-9600, -0.1, 1, 9600])
async def test_a_jump_of_the_wall_clock_changes_no_wait(
    spool: Spool, clock: FakeClock, hours: float
) -> None:
    one = await mail(spool)
    await delay(spool, one, 30 * SECOND)
    await clock.advance(10 * SECOND)
    clock.set_wall_clock(clock.now() + hours * HOUR)
    batch = await spool.take(asked())
    assert (numbers(batch), batch.next_in) == ([], 20 * SECOND)
    await clock.advance(20 * SECOND)
    assert numbers(await spool.take(asked())) == [one.id]


async def test_what_is_due_later_than_anything_can_be_is_due(engine: Engine) -> None:
    """Its time is from a wrong clock, in a process that has ended."""
    async with engine() as spool:
        one = await mail(spool)
        await delay(spool, one, 400 * 24 * HOUR)
    async with engine() as spool:
        assert numbers(await spool.take(asked())) == [one.id]


async def test_backlogs_count_what_waits_with_what_is_in_flight(spool: Spool) -> None:
    one, two = await mail(spool, age=7), await mail(spool, age=3)
    await mail(spool, lane=ALERTS)
    await spool.begin(one, NOON, "c")
    await delay(spool, two, HOUR)
    found = {backlog.lane: backlog for backlog in await spool.read(Backlogs())}
    assert found[WEBSITE] == Backlog(WEBSITE, 2, NOON - 7 * SECOND)
    assert found[ALERTS].waiting == 1
