"""Exchange's reports in the sandbox's mailboxes, matched to the mail that they are about."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from graphrelay.graph import inbox
from graphrelay.journal import Journal
from graphrelay.model import Lane
from graphrelay.oauth.scenario import Account, AccountOptions, AnyUser, ClientSecret, SecretText
from graphrelay.relay.deliver.ndr_poll import LOOK_EVERY, OVERLAP, TRIES, NdrPoll
from graphrelay.relay.reports import ndr
from graphrelay.relay.reports.ndr import Ndr
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT
from graphrelay.sandbox.faults import Answer
from graphrelay.sandbox.graph.faults import ClassFilterRefused, NonDelivery
from graphrelay.spool.queries import HistoryOf, LanesUsed, LogFilter, Query
from tests.clock import FakeClock
from tests.graph.scripted import session_of
from tests.relay.cloud import INFO, WP, Delivery, delivering

NOBODY = "nobody@example.org"
REASON = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"


@pytest.fixture
async def cloud() -> AsyncIterator[Sandbox]:
    async with Sandbox() as cloud:
        grant(cloud, "Mail.Send", "Mail.Read")
        yield cloud


def grant(cloud: Sandbox, *roles: str) -> None:
    app = cloud.directory.app(CONFIDENTIAL_CLIENT)
    assert app is not None
    app.roles = set(roles)


def watching(
    delivery: Delivery,
    *,
    bounces: bool = True,
    page: int = inbox.PAGE,
    read: Callable[[bytes], Ndr | None] = ndr.read,
) -> NdrPoll:
    scenario, options = AnyUser(ClientSecret(SecretText("s"))), AccountOptions(bounces=bounces)
    boxes = ("*@contoso.com",)
    account = Account("website", "contoso", CONFIDENTIAL_CLIENT, scenario, boxes, options)
    return NdrPoll(
        delivery.graph,
        delivery.spool,
        lambda: [account],
        delivery.clock,
        Journal(delivery.clock, delivery.entries.append),
        page,
        read,
    )


@asynccontextmanager
async def sent(cloud: Sandbox, directory: Path) -> AsyncIterator[Delivery]:
    """One message that bounces, and another that does not."""
    cloud.faults.on(NonDelivery(recipient=NOBODY))
    async with delivering(cloud, directory) as delivery:
        await delivery.accept(1, to=NOBODY)
        await delivery.accept(2)
        await delivery.ended(2)
        yield delivery


async def log(delivery: Delivery) -> list[tuple[str, str]]:
    rows = await delivery.spool.read(LogFilter(outcome="bounced"))
    return [(row.queue_id, row.reason) for row in rows]


async def reports_in(delivery: Delivery) -> list[str]:
    """Their ids in the sending mailbox, oldest first."""
    since = delivery.clock.now() - timedelta(days=1)
    found = await inbox.reports(await session_of(delivery.graph, WP), since)
    assert isinstance(found, tuple)
    return [quote(report.id, safe="") for report in found]


async def test_the_log_says_bounced_with_the_reason_of_exchange(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with sent(cloud, tmp_path) as delivery:
        await watching(delivery).look()
        (told,) = [entry for entry in delivery.entries if entry.event == "bounced"]
        assert told.fields["recipient"] == NOBODY
        assert (told.fields["status"], told.fields["reason"]) == ("5.1.10", REASON)
        assert await log(delivery) == [(told.queue_id, f"{NOBODY}: {REASON}")]
        shown = await delivery.spool.read(HistoryOf(told.queue_id))
        assert shown is not None
        assert shown.message_id == "<1@contoso.com>"


async def test_what_was_noted_is_not_noted_again_not_even_after_a_restart(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with sent(cloud, tmp_path) as delivery:
        first = watching(delivery)
        await first.look()
        await first.look()
        await watching(delivery).look()
        assert len(await log(delivery)) == 1


async def test_one_of_several_with_the_same_message_id_is_found_by_its_recipient(
    cloud: Sandbox, tmp_path: Path
) -> None:
    cloud.faults.on(NonDelivery(recipient=NOBODY))
    async with delivering(cloud, tmp_path) as delivery:
        await delivery.accept(1, to="a@example.org", message_id="<same@contoso.com>")
        meant = await delivery.accept(2, to=NOBODY, message_id="<same@contoso.com>")
        await delivery.accept(3, to="b@example.org", message_id="<same@contoso.com>")
        await delivery.ended(3)
        await watching(delivery).look()
        assert [queue_id for queue_id, _ in await log(delivery)] == [meant.queue_id]


async def test_many_reports_are_read_page_by_page(tmp_path: Path) -> None:
    clock = FakeClock()
    async with (
        Sandbox(now=clock.now) as cloud,
        delivering(cloud, tmp_path, clock=clock) as delivery,
    ):
        grant(cloud, "Mail.Send", "Mail.Read")
        cloud.faults.on(NonDelivery())
        bounces = watching(delivery, page=3)
        for number in range(8):
            await delivery.accept(number, to=f"n{number}@example.org")
            await delivery.ended(number + 1)
            await delivery.clock.advance(timedelta(minutes=1))
        await bounces.look()
        assert len(await log(delivery)) == 8


async def test_more_reports_of_one_second_than_a_page_has_hide_no_later_ones(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with (
        Sandbox(now=clock.now) as cloud,
        delivering(cloud, tmp_path, clock=clock) as delivery,
    ):
        grant(cloud, "Mail.Send", "Mail.Read")
        cloud.faults.on(NonDelivery())
        for number in range(9):
            await delivery.accept(number, to=f"n{number}@example.org")
            await delivery.ended(number + 1)
            if number == 7:
                await clock.advance(timedelta(minutes=1))
        await watching(delivery, page=3).look()
        assert len(await log(delivery)) == 9


async def test_a_report_is_looked_for_again_while_graph_does_not_show_it(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with sent(cloud, tmp_path) as delivery:
        bounces = watching(delivery)
        cloud.faults.on(Answer(status=503, method="GET", times=1))
        await bounces.look()
        assert await log(delivery) == []
        cloud.faults.on(Answer(status=504, path="/v1.0/users/wp@contoso.com/messages/", times=1))
        await bounces.look()
        assert await log(delivery) == []
        await bounces.look()
        assert len(await log(delivery)) == 1


async def test_a_report_that_can_never_be_read_hides_the_others_for_an_hour_and_no_longer(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with sent(cloud, tmp_path) as delivery:
        await delivery.clock.advance(timedelta(minutes=1))
        await delivery.accept(3, to=NOBODY)
        await delivery.ended(3)
        bounces = watching(delivery)
        first, second = await reports_in(delivery)
        cloud.faults.on(Answer(status=500, path=f"/v1.0/users/{WP.mailbox}/messages/{first}"))
        for _ in range(TRIES - 1):
            await bounces.look()
        assert await log(delivery) == []
        assert delivery.told("bounce-not-read") == []
        await bounces.look()
        assert len(await log(delivery)) == 1
        (told,) = [entry for entry in delivery.entries if entry.event == "bounce-not-read"]
        assert told.fields["report"] == first != second
        await bounces.look()
        assert len(delivery.told("bounce-not-read")) == 1


async def test_a_mailbox_that_breaks_hides_no_other(
    cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sent(cloud, tmp_path) as delivery:
        bounces, read = watching(delivery), delivery.spool.read

        async def with_a_strange_one(query: Query[Any]) -> Any:
            found = await read(query)
            return [Lane("website", "."), *found] if isinstance(query, LanesUsed) else found

        monkeypatch.setattr(delivery.spool, "read", with_a_strange_one)
        await bounces.look()
        assert len(await log(delivery)) == 1
        (told,) = [entry for entry in delivery.entries if entry.event == "bounces-broke"]
        assert told.fields["mailbox"] == "."


async def test_an_account_that_may_not_read_says_so_once_and_mail_goes_on(
    cloud: Sandbox, tmp_path: Path
) -> None:
    grant(cloud, "Mail.Send")
    async with sent(cloud, tmp_path) as delivery:
        bounces = watching(delivery)
        await bounces.look()
        await bounces.look()
        (told,) = [entry for entry in delivery.entries if entry.event == "bounces-not-read"]
        assert told.fields["mailbox"] == WP.mailbox


async def test_without_being_set_up_no_mailbox_is_read(cloud: Sandbox, tmp_path: Path) -> None:
    async with sent(cloud, tmp_path) as delivery:
        session = await session_of(delivery.graph, WP)
        session.take_spent()
        await watching(delivery, bounces=False).look()
        assert session.take_spent() == (0, 0)
        assert await log(delivery) == []


async def test_ordinary_mail_in_the_inbox_is_none_of_our_business(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path) as delivery:
        await delivery.accept(1, lane=INFO, to=WP.mailbox)
        await delivery.accept(2)
        await delivery.ended(2)
        await watching(delivery).look()
        assert delivery.told("bounced", "bounce-not-understood") == []


async def test_it_looks_by_itself_every_few_minutes(cloud: Sandbox, tmp_path: Path) -> None:
    async with sent(cloud, tmp_path) as delivery:
        bounces, looks = watching(delivery), 0

        async def look() -> None:
            nonlocal looks
            looks += 1

        bounces.look = look  # type: ignore[method-assign]
        running = asyncio.create_task(bounces.run())
        await delivery.clock.advance(3 * LOOK_EVERY)
        running.cancel()
        assert looks == 3
        assert OVERLAP > LOOK_EVERY


async def test_a_report_that_raises_an_error_is_skipped_in_the_end(
    cloud: Sandbox, tmp_path: Path
) -> None:
    def mistaken(octets: bytes) -> None:
        raise ZeroDivisionError

    async with sent(cloud, tmp_path) as delivery:
        bounces = watching(delivery, read=mistaken)
        for _ in range(TRIES):
            await bounces.look()
        (told,) = [entry for entry in delivery.entries if entry.event == "bounce-not-read"]
        assert told.fields["reason"] == "ZeroDivisionError()"


# --- What Exchange really returns
# ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "message_class", ["REPORT.IPM.Note.SMIME.NDR", "REPORT.IPM.Schedule.Meeting.Request.NDR"]
)
@pytest.mark.parametrize("filtered", [True, False])
async def test_reports_of_every_class_are_found(
    message_class: str, filtered: bool, cloud: Sandbox, tmp_path: Path
) -> None:
    cloud.mailboxes.settings.report_class = message_class
    if not filtered:
        cloud.faults.on(ClassFilterRefused())
    async with sent(cloud, tmp_path) as delivery:
        await watching(delivery).look()
        assert len(await log(delivery)) == 1


async def test_a_receipt_is_no_report_of_failure(cloud: Sandbox, tmp_path: Path) -> None:
    cloud.mailboxes.settings.report_class = "REPORT.IPM.Note.IPNRN"
    async with sent(cloud, tmp_path) as delivery:
        await watching(delivery).look()
        assert delivery.told("bounced", "bounce-not-understood") == []


@pytest.mark.parametrize("code", ["ErrorRestrictionTooComplex", "InefficientFilter"])
async def test_a_mailbox_that_cannot_be_filtered_is_read_whole_and_that_is_logged_once(
    code: str, cloud: Sandbox, tmp_path: Path
) -> None:
    cloud.faults.on(ClassFilterRefused(code=code, mailbox=WP.mailbox))
    async with sent(cloud, tmp_path) as delivery:
        for number in range(4):  # more mail than a page holds
            await delivery.accept(10 + number, lane=INFO, to=WP.mailbox)
        await delivery.ended(6)
        bounces = watching(delivery, page=2)
        await bounces.look()
        await bounces.look()
        assert len(await log(delivery)) == 1
        (told,) = [one for one in delivery.entries if one.event == "bounces-not-filtered"]
        assert (told.fields["mailbox"], told.fields["code"]) == (WP.mailbox, code)
        assert delivery.told("bounce-not-understood") == []


async def test_a_report_that_is_no_mime_is_read_by_its_properties_at_once(
    cloud: Sandbox, tmp_path: Path
) -> None:
    cloud.mailboxes.settings.report_class = "REPORT.IPM.Note.SMIME.NDR"
    cloud.mailboxes.settings.reports_as_mime = False
    async with sent(cloud, tmp_path) as delivery:
        await watching(delivery).look()
        (told,) = [entry for entry in delivery.entries if entry.event == "bounced"]
        assert (told.fields["recipient"], told.fields["status"]) == (NOBODY, "5.1.10")
        assert len(await log(delivery)) == 1


@pytest.mark.parametrize(
    ("status", "remedy"),
    [("5.7.236", "a domain of your own"), ("5.1.10", "the recipient's address"), ("5.9.9", None)],
)
async def test_the_journal_says_what_can_be_done_about_a_report(
    status: str, remedy: str | None, cloud: Sandbox, tmp_path: Path
) -> None:
    cloud.faults.on(NonDelivery(code=status, diagnostic=f"550 {status} refused", times=1))
    async with delivering(cloud, tmp_path) as delivery:
        await delivery.accept(1, to=NOBODY)
        await delivery.ended(1)
        await watching(delivery).look()
        (told,) = [entry for entry in delivery.entries if entry.event == "bounced"]
        found = told.fields.get("remedy")
        assert (remedy in str(found)) if remedy else not found
