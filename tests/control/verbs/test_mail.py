"""What a person does to many messages at once, by what they have in common."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from graphrelay.control.verb import LONGEST_SAID, Output, VerbError
from graphrelay.control.verbs.mail import Configured, IdleQueue, MailVerbs
from graphrelay.journal import Journal
from graphrelay.model import Address, Lane, Submission
from graphrelay.oauth.scenario import Account, SendAsUser
from graphrelay.relay.queue.lane_view import LaneView
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import HistoryOf, LogFilter
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.values import LaneNote
from tests.clock import FakeClock
from tests.spool.mail import ANNA, BERT, NOON, WEBSITE, WP, a_message, plan, put, waiting_in
from tests.spool.postgres.relays import Watcher, a_relay

INFO = Lane("website", "info@contoso.com")
ALERTS = Address("Alerts", "fabrikam.com")


WEBSITE_ACCOUNT = Account(
    "website", "contoso.com", "id", SendAsUser("wp@contoso.com"), ("*@contoso.com",)
)
CONFIGURED = Configured(lambda: [WEBSITE_ACCOUNT], lambda: ["default"])


class Lanes(IdleQueue):
    """A running relay's, in so far as it has lanes."""

    views: list[LaneView] | None = None

    async def lanes(self) -> list[LaneView] | None:
        return self.views


class Desk:
    """A spool with mail of several kinds, and the verbs over it."""

    def __init__(self, spool: Spool, clock: FakeClock) -> None:
        self.spool = spool
        self.queue = Lanes(spool)
        self.table = MailVerbs(spool, self.queue, CONFIGURED, clock, page=7).table()

    async def put(self, **differently: Any) -> Submission:
        lane, route = differently.pop("lane", WEBSITE), differently.pop("route", "default")
        to = differently.pop("to", ANNA)
        message = a_message((plan(lane, route), (to,)), **differently)
        (submission,) = await put(self.spool, message=message)
        return submission

    async def do(self, verb: str, **arguments: Any) -> list[Output]:
        async def nobody(what: str) -> str:
            raise AssertionError(what)

        table = self.table[f"queue-{verb}"]
        return [event async for event in table({"what": verb, **arguments}, nobody)]

    async def state(self, submission: Submission) -> str:
        shown = await self.spool.read(HistoryOf(submission.queue_id))
        assert shown is not None
        return type(shown.parts[0].state).__name__


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = FakeClock()
    async with SqliteSpool.open(tmp_path / "spool", clock, Journal(clock), reserve=0) as spool:
        yield Desk(spool, clock)


ODD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"sender": ALERTS}, {"sender": "alerts@Fabrikam.com"}),
    ({"sender": ALERTS}, {"sender": "@fabrikam.com"}),
    ({"sender": None}, {"sender": "<>"}),
    ({"to": BERT}, {"recipient": "bert@example.org"}),
    ({"route": "routes[1]"}, {"route": "routes[1]"}),
    ({"lane": INFO}, {"mailbox": "info@contoso.com"}),
    ({"lane": Lane("other", "wp@contoso.com")}, {"account": "other"}),
    (
        {"received_at": NOON - timedelta(hours=3)},
        {"received_before": (NOON - timedelta(hours=2)).isoformat()},
    ),
]


async def test_a_reason_is_for_the_terminals_of_others(desk: Desk) -> None:
    message = await desk.put()
    await desk.do(
        "hold", queue_id=message.queue_id, reason="ask me\x1b]0;x\x07\n\x9b2J" + "x" * 999
    )
    (row,) = await desk.spool.read(LogFilter(queue_id=message.queue_id))
    assert row.reason.startswith("ask me ]0;x 2Jxxx")
    assert row.reason.isprintable()
    assert len(row.reason) <= LONGEST_SAID


@pytest.mark.parametrize(("odd", "chosen"), ODD, ids=lambda what: "-".join(what))
async def test_what_a_filter_finds_is_changed_and_nothing_else(
    desk: Desk, odd: dict[str, Any], chosen: dict[str, Any]
) -> None:
    plain = await desk.put(sender=WP)
    meant = [await desk.put(**odd) for _ in range(3)]
    ids = [one.queue_id for one in meant]

    async def changed(what: str, **reason: str) -> list[str]:
        events = await desk.do(what, **chosen, **reason)
        assert all(event["changed"] == 1 for event in events)
        return [event["queue_id"] for event in events]

    assert await changed("hold", reason="a mistake in the template") == ids
    assert await changed("retry") == []
    assert await changed("release", reason="mended") == ids
    assert await changed("retry", reason="the printer waits") == ids
    assert await changed("delete", reason="nobody wants it") == ids
    assert {await desk.state(one) for one in meant} == {"Done"}
    assert await desk.state(plain) == "Queued"
    log = [(row.what, row.reason) for row in await desk.spool.read(LogFilter(queue_id=ids[0]))]
    assert log[::-1] == [
        ("held", "a mistake in the template"),
        ("released", "mended"),
        ("retried", "the printer waits"),
        ("deleted", "nobody wants it"),
    ]


async def test_what_is_being_sent_is_not_changed_and_reported(desk: Desk) -> None:
    first, second = await desk.put(), await desk.put()
    await desk.spool.begin(first, NOON, "c")
    left, gone = await desk.do("delete", sender="wp@contoso.com", reason="no")
    assert (left["queue_id"], left["changed"]) == (first.queue_id, 0)
    assert "on its way" in left["reason"]
    assert (gone["queue_id"], gone["changed"]) == (second.queue_id, 1)


async def test_one_part_is_changed_and_the_others_of_its_message_stay(desk: Desk) -> None:
    message = a_message((plan(), (ANNA,)), (plan(INFO), (BERT,)))
    parts = await put(desk.spool, message=message)
    assert await desk.do("hold", recipient="anna@example.org") == [
        {"queue_id": parts[0].queue_id, "changed": 1}
    ]
    assert await waiting_in(desk.spool) == [parts[1].id]


async def test_more_than_a_page_is_changed_a_page_at_a_time(desk: Desk) -> None:
    for _ in range(40):
        await desk.put()
    assert len(await desk.do("hold", all=True)) == 40
    assert await waiting_in(desk.spool) == []
    assert len(await desk.do("release", all=True)) == 40


async def test_without_a_filter_nothing_is_changed(desk: Desk) -> None:
    await desk.put()
    with pytest.raises(VerbError, match="choose messages"):
        await desk.do("delete", reason="oops")
    with pytest.raises(VerbError, match="choose messages"):
        await desk.do("delete", reason="oops", state="queued")
    assert len(await waiting_in(desk.spool)) == 1


@pytest.mark.parametrize(
    ("key", "name", "known"),
    [
        ("account", "webseite", "only website"),
        ("mailbox", "wp@fabrikam.com", "only *@contoso.com"),
        ("route", "routes[7]", "only default"),
    ],
)
async def test_a_filter_with_an_unknown_name_is_an_error(
    desk: Desk, key: str, name: str, known: str
) -> None:
    await desk.put()
    for verb in ("list", "release"):
        with pytest.raises(VerbError, match=f"there is no {key} .*{re.escape(known)}"):
            await desk.do(verb, **{key: name})


async def test_a_name_that_only_the_queue_has_is_known(desk: Desk) -> None:
    await desk.put(lane=Lane("removed", "old@fabrikam.com"))
    assert len(await desk.do("list", account="removed")) == 1
    assert await desk.do("list", account="website") == []


async def test_a_mailbox_is_found_in_any_letter_case(desk: Desk) -> None:
    await desk.put()
    assert len(await desk.do("list", mailbox="WP@Contoso.com")) == 1


async def test_a_list_that_is_cut_off_says_of_how_many(desk: Desk) -> None:
    for _ in range(3):
        await desk.put()
    *rows, total = await desk.do("list", limit=2, count=True)
    assert len(rows) == 2
    assert (total["listed"], total["total"]) == (2, 3)
    assert len(await desk.do("list", limit=3, count=True)) == 3


async def test_a_message_says_why_it_waits(desk: Desk) -> None:
    message = await desk.put()
    (row,) = await desk.do("list")
    assert row["waits"]["state"] == "not running"
    desk.queue.views = [
        LaneView(
            lane=WEBSITE,
            state="authorization",
            reason="Account 'website' has not been authorized.",
            remedy="Run: graphrelay authorize website",
            until=None,
            waiting=1,
            in_flight=0,
            allowed=4,
            oldest=None,
            budgets=(),
        )
    ]
    (row,) = await desk.do("list")
    (shown,) = await desk.do("show", queue_id=message.queue_id)
    for waits in (row["waits"], shown["parts"][0]["waits"]):
        assert waits["reason"] == "Account 'website' has not been authorized."
        assert waits["remedy"] == "Run: graphrelay authorize website"
    desk.queue.views = []
    (row,) = await desk.do("list")
    assert (row["waits"], row["due"]) == (None, True)


async def test_without_a_relay_here_lanes_are_as_the_relays_elsewhere_say(
    database: str,
) -> None:
    clock = FakeClock()
    journal = Journal(clock)
    async with a_relay(database, clock, journal, "desk", sends=False) as here:
        async with a_relay(database, clock, journal, "mail1") as there:
            await put(there, message=a_message((plan(INFO), (ANNA,))))
            watcher = Watcher()
            full = '{"state": "quota", "reason": "The mailbox is full."}'
            watcher.noted = [LaneNote(lane=INFO, text=full, wakes_at=None)]
            there.watch(watcher)
            await there.renew()
            [seen] = await IdleQueue(here).lanes() or []
            assert (seen.lane, seen.host, seen.state) == (INFO, "mail1", "quota")
            assert (seen.reason, seen.waiting) == ("The mailbox is full.", 1)
        assert await IdleQueue(here).lanes() is None, "no relay runs"
