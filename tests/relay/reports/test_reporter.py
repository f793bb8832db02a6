"""Who is notified of a failure, and who must not be, through a spool and the sandbox."""

import email
import email.policy
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.model import Address, Lane, Plan, StorageUnavailable
from graphrelay.relay.policy.reporting import ReportPolicy
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.relay.reports import reporter
from graphrelay.relay.reports.dsn import MARK
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import User
from graphrelay.sandbox.graph.faults import Refuse, UnknownRecipient
from graphrelay.sandbox.mailbox_items import Mail
from graphrelay.spool.queries import QueueFilter
from graphrelay.spool.sqlite.files.bodies import FileBody
from tests.relay.cloud import WP, Delivery, delivering

HOUR = timedelta(hours=1)
SENDER = Address("scanner", "example.net")
REPORTS = ReportPolicy(to="sender")
BAD = "nobody@example.org"


@pytest.fixture
async def cloud() -> AsyncIterator[Sandbox]:
    async with Sandbox() as cloud:
        cloud.faults.on(UnknownRecipient(address=BAD))
        yield cloud


async def failed(delivery: Delivery, number: int = 1, **how: object) -> None:
    """A message to a recipient whom Exchange refuses, and the consequences."""
    await delivery.accept(number, to=BAD, sender=SENDER, **how)  # type: ignore[arg-type]
    await delivery.until(lambda: delivery.told("failed") != [] and delivery.queue.in_flight == 0)


def reports(delivery: Delivery, address: Address = SENDER) -> list[Mail]:
    return delivery.cloud.mailboxes.received_by(str(address))


async def test_the_sender_hears_of_a_failure(cloud: Sandbox, tmp_path: Path) -> None:
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        await failed(delivery)
        [mail] = reports(delivery)
        message = email.message_from_bytes(mail.raw, policy=email.policy.SMTP)
        assert message.get_content_type() == "multipart/report"
        assert message["From"].addresses[0].addr_spec == WP.mailbox
        assert b"Final-Recipient: rfc822; nobody@example.org" in mail.raw
        assert b"ErrorInvalidRecipients" in mail.raw
        assert delivery.told() == ["attempt", "failed", "accepted", "attempt", "relayed"]


async def test_a_sender_and_a_mailbox_beyond_ascii_are_no_reason_to_report_nothing(
    cloud: Sandbox, tmp_path: Path
) -> None:
    sender = Address("jörg", "exämple.net")
    lane = Lane(WP.account, "größe@contoso.com")
    wp = cloud.directory.user(WP.mailbox)
    assert wp is not None
    cloud.directory.users.append(
        User(display_name="Größe", upn=lane.mailbox, tenant_id=wp.tenant_id)
    )
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        await delivery.accept(1, to=BAD, sender=sender, lane=lane)
        await delivery.until(lambda: delivery.told("relayed", "not-reported") != [])
        [mail] = reports(delivery, sender)
        assert "From: Mail relay <größe@contoso.com>\r\n".encode() in mail.raw
        assert "To: <jörg@exämple.net>\r\n".encode() in mail.raw


async def test_nobody_hears_of_it_where_nobody_is_to(cloud: Sandbox, tmp_path: Path) -> None:
    async with delivering(cloud, tmp_path, reports=ReportPolicy(to="nobody")) as delivery:
        await failed(delivery)
        assert delivery.told() == ["attempt", "failed"]


async def test_a_fixed_address_hears_of_everything(cloud: Sandbox, tmp_path: Path) -> None:
    admin = Address("postmaster", "example.net")
    async with delivering(cloud, tmp_path, reports=ReportPolicy(to=admin)) as delivery:
        await failed(delivery)
        assert len(reports(delivery, admin)) == 1
        assert reports(delivery) == []


async def test_of_recipients_whom_the_route_added_the_sender_hears_nothing(
    cloud: Sandbox, tmp_path: Path
) -> None:
    archive = (Address("archive", "contoso.com"),)
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        cloud.faults.on(Refuse(code="ErrorMessageSizeExceeded", times=1))
        plan = Plan(route="r", lane=WP, unseen=archive)
        await delivery.accept(1, to=BAD, sender=SENDER, plan=plan, besides=archive)
        await delivery.until(lambda: delivery.told("failed", "relayed") == ["failed", "relayed"])
        [mail] = reports(delivery)
        message = email.message_from_bytes(mail.raw, policy=email.policy.SMTP)
        told = "".join(str(part.get_payload(decode=True)) for part in message.walk()) + str(message)
        assert BAD in told
        assert "archive" not in told


async def test_where_only_such_a_recipient_failed_there_is_no_report(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        await failed(delivery, plan=Plan(route="r", lane=WP, unseen=(Address.parse(BAD),)))
        assert delivery.told() == ["attempt", "failed"]


async def test_a_message_from_the_null_sender_is_never_reported(
    cloud: Sandbox, tmp_path: Path
) -> None:
    admin = Address("postmaster", "example.net")
    async with delivering(cloud, tmp_path, reports=ReportPolicy(to=admin)) as delivery:
        await failed(delivery, null_sender=True)
        assert delivery.told() == ["attempt", "failed"]


@pytest.mark.parametrize(
    "header",
    [
        f"{MARK}: Q1\r\n",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n",
    ],
)
async def test_a_notice_is_never_reported_even_if_it_lost_its_null_sender(
    cloud: Sandbox, tmp_path: Path, header: str
) -> None:
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        await failed(delivery, header=header)
        assert delivery.told() == ["attempt", "failed"]


async def test_a_report_that_fails_itself_ends_there(cloud: Sandbox, tmp_path: Path) -> None:
    cloud.faults.on(UnknownRecipient(address=str(SENDER)))
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        await failed(delivery)
        await delivery.until(lambda: len(delivery.told("failed")) == 2)
        assert delivery.told("accepted") == ["accepted"]


async def test_a_sender_without_a_domain_gets_a_line_in_the_journal(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        await delivery.accept(1, to=BAD, sender=Address("root", ""))
        await delivery.ended(1)
        assert delivery.told() == ["attempt", "not-reported", "failed"]


async def test_what_is_given_up_for_its_age_is_reported(cloud: Sandbox, tmp_path: Path) -> None:
    policy = DeliveryPolicy(lifetime=timedelta(seconds=50))
    async with delivering(cloud, tmp_path, policy, reports=REPORTS) as delivery:
        cloud.faults.on(Refuse(code="ErrorServerBusy", recipient="you@example.org"))
        await delivery.accept(1, sender=SENDER)
        await delivery.ended(1)
        for attempts in (2, 3):
            await delivery.clock.advance(timedelta(seconds=30))
            await delivery.ended(attempts)
        await delivery.clock.advance(timedelta(minutes=5))
        await delivery.until(lambda: len(reports(delivery)) == 1)
        [mail] = reports(delivery)
        assert b"Status: 5.4.7" in mail.raw
        [text, *_] = email.message_from_bytes(mail.raw, policy=email.policy.SMTP).iter_parts()
        assert "Given up after 50 seconds." in text.get_content()


async def test_a_large_message_is_reported_with_its_header_only(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        await failed(delivery, body=b"x" * 70 * 10_000 + b"\r\n")
        [mail] = reports(delivery)
        assert b"Subject: 1\r\n" in mail.raw
        assert len(mail.raw) < 10_000


async def test_the_message_is_read_in_a_thread_and_holds_up_nobody(
    cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk may be slow at that moment, and all connections share one event loop."""
    read_in: list[int] = []
    read = FileBody.read

    def noted(body: FileBody, start: int, end: int) -> bytes:
        read_in.append(threading.get_ident())
        return read(body, start, end)

    monkeypatch.setattr(FileBody, "read", noted)
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        await failed(delivery, body=b"x" * 70 * 10_000 + b"\r\n")
        assert len(reports(delivery)) == 1
    assert read_in
    assert threading.get_ident() not in read_in


async def test_a_delay_is_reported_once_and_only_where_it_is_wanted(
    cloud: Sandbox, tmp_path: Path
) -> None:
    wanted = ReportPolicy(to="sender", delay_notice=4 * HOUR)
    async with delivering(cloud, tmp_path, reports=wanted) as delivery:
        cloud.faults.on(Refuse(code="ErrorServerBusy", recipient="you@example.org"))
        await delivery.accept(1, sender=SENDER)
        await delivery.ended(1)
        for _ in range(14):
            before = delivery.courier.ended
            await delivery.clock.advance(HOUR)
            await delivery.ended(before + 1)
        await delivery.until(lambda: delivery.queue.in_flight == 0)
        [mail] = reports(delivery)
        assert b"Action: delayed" in mail.raw
        assert b"Will-Retry-Until:" in mail.raw
        cloud.faults.clear()
        await delivery.clock.advance(HOUR)
        await delivery.until(lambda: len(delivery.told("relayed")) == 2)


async def test_a_report_and_its_failure_come_onto_the_disk_together(
    cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        finish = delivery.spool.finish
        together: list[bool] = []

        async def watched(*args: object) -> object:
            together.append(len(args) == 4)
            assert delivery.told("failed") == []  # the journal reports what is on the disk
            return await finish(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(delivery.spool, "finish", watched)
        await delivery.accept(1, to=BAD, sender=SENDER)
        await delivery.until(lambda: delivery.told("failed") != [])
        assert together == [True]


async def test_a_disk_that_is_full_delays_the_report_with_its_failure(
    cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        finish = delivery.spool.finish
        full = True

        async def full_disk(*args: object) -> object:
            if full:
                raise StorageUnavailable("disk full")
            return await finish(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(delivery.spool, "finish", full_disk)
        await delivery.accept(1, to=BAD, sender=SENDER)
        while not delivery.told("outcome-not-recorded"):
            await delivery.clock.advance(timedelta(seconds=5))
        assert delivery.told("failed") == []
        full = False
        while not delivery.told("failed"):
            await delivery.clock.advance(timedelta(seconds=5))
        await delivery.until(lambda: len(reports(delivery)) == 1)
        assert len(delivery.told("failed")) == 1


# --- Many failures ------------------------------------------------------------------------------

MANY = tuple(Address(f"bad{number}", "example.org") for number in range(30))


async def many_failed(cloud: Sandbox, delivery: Delivery) -> None:
    """One message to 31 recipients, none of whom exists."""
    for one in MANY:
        cloud.faults.on(UnknownRecipient(address=str(one)))
    await delivery.accept(1, to=BAD, sender=SENDER, besides=MANY)
    await delivery.until(
        lambda: len(delivery.told("failed")) == 31 and delivery.queue.in_flight == 0
    )


def named(delivery: Delivery) -> list[list[str]]:
    """Whom each report names."""
    return [
        [
            line.partition(";")[2].strip()
            for line in mail.raw.decode().splitlines()
            if line.startswith("Final-Recipient:")
        ]
        for mail in reports(delivery)
    ]


async def test_what_fails_within_a_minute_is_one_report(cloud: Sandbox, tmp_path: Path) -> None:
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        await many_failed(cloud, delivery)
        await delivery.clock.advance(timedelta(seconds=59))
        assert len(named(delivery)) == 1
        await delivery.clock.advance(timedelta(seconds=1))
        await delivery.until(lambda: len(named(delivery)) == 2)
        first, second = named(delivery)
        assert (len(first), len(second)) == (1, 30)
        assert sorted(first + second) == sorted([BAD, *map(str, MANY)])
        await delivery.clock.advance(HOUR)
        assert len(named(delivery)) == 2
        assert await delivery.spool.read(QueueFilter()) == []
        assert len(delivery.told("accepted")) == 2


async def test_reports_that_nobody_merged_go_by_themselves(cloud: Sandbox, tmp_path: Path) -> None:
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        await many_failed(cloud, delivery)
        clock = delivery.clock
    async with delivering(cloud, tmp_path, reports=REPORTS, clock=clock) as delivery:
        await clock.advance(timedelta(seconds=76))
        await delivery.until(lambda: len(named(delivery)) == 31)
        assert sorted(name for names in named(delivery) for name in names) == sorted(
            [BAD, *map(str, MANY)]
        )


async def test_an_address_gets_no_more_reports_than_its_share_of_an_hour(
    cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporter, "MOST_PER_HOUR", 3)
    async with delivering(cloud, tmp_path, reports=REPORTS) as delivery:
        for number in range(5):
            await delivery.accept(number, to=BAD, sender=SENDER)
        await delivery.until(lambda: len(delivery.told("relayed")) == 3)
        assert delivery.told("not-reported") == ["not-reported"] * 2
        [told, _] = [entry for entry in delivery.entries if entry.event == "not-reported"]
        assert "has had 3 reports within the hour" in str(told.fields["reason"])
        await delivery.clock.advance(HOUR)
        await delivery.accept(9, to=BAD, sender=SENDER)
        await delivery.until(lambda: len(delivery.told("relayed")) == 4)
