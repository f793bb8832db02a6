import asyncio
from datetime import UTC, datetime

import pytest

from graphrelay.sandbox.directory import User, contoso
from graphrelay.sandbox.mailbox import Mailboxes, Submission
from graphrelay.sandbox.mailbox_items import BodyNotKept, Bounced, Folder, MimeDraft
from graphrelay.sandbox.mailbox_settings import MailSettings
from graphrelay.sandbox.mime import fields_of, read_head

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def mailboxes(settings: MailSettings | None = None) -> Mailboxes:
    return Mailboxes(contoso(), lambda: NOW, settings)


def user(boxes: Mailboxes, upn: str) -> User:
    found = boxes._directory.user(upn)
    assert found is not None
    return found


def submission(
    *recipients: str, name: str = "1", body: str = "Hello", bounced: tuple[Bounced, ...] = ()
) -> Submission:
    octets = f"To: {', '.join(recipients)}\r\nSubject: S\r\n\r\n{body}".encode()
    return Submission(
        via="mime",
        client_id="app",
        head=read_head(fields_of(octets)),
        message_id=f"<{name}@x>",
        octets=octets,
        outgoing=octets,
        recipients=recipients,
        bounced=bounced,
        client_request_id="c",
        request_id="r",
    )


def test_mail_reaches_inboxes_inside_and_addresses_outside() -> None:
    boxes = mailboxes()
    wp, alice = user(boxes, "wp@contoso.com"), user(boxes, "alice@contoso.com")
    mail = boxes.submit(wp, submission("Alice@Contoso.com", "you@example.org"))
    assert boxes.inbox(alice) == [mail]
    assert boxes.outside("YOU@example.org") == [mail]
    assert boxes.outside("alice@contoso.com") == []
    assert boxes.received_by("alice@contoso.com") == [mail]
    assert boxes.sent_items(wp) == [mail]
    assert boxes.submitted == [mail]


def test_an_alias_receives_into_the_same_inbox() -> None:
    boxes = mailboxes()
    alice = user(boxes, "alice@contoso.com")
    alice.addresses.append("a.example@contoso.com")
    mail = boxes.submit(user(boxes, "wp@contoso.com"), submission("a.example@contoso.com"))
    assert boxes.inbox(alice) == [mail]


def test_submissions_are_counted_by_message_id() -> None:
    boxes = mailboxes()
    wp = user(boxes, "wp@contoso.com")
    for name in ("1", "2", "1"):
        boxes.submit(wp, submission("a@b", name=name))
    assert dict(boxes.submissions) == {"<1@x>": 2, "<2@x>": 1}


def test_a_report_goes_to_the_sender_in_place_of_delivery() -> None:
    boxes = mailboxes()
    wp = user(boxes, "wp@contoso.com")
    bounced = Bounced("bad@b", "5.1.10", "550 5.1.10 nobody here")
    mail = boxes.submit(wp, submission("good@b", "bad@b", bounced=(bounced,)))
    assert mail.received == ("good@b",)
    assert boxes.received_by("bad@b") == []
    assert boxes.submitted == [mail]
    (report,) = boxes.inbox(wp)
    assert report.via == "report"
    assert f"In-Reply-To: {mail.message_id}".encode() in report.raw
    assert b"Final-Recipient: rfc822;bad@b\r\n" in report.raw
    assert b"Status: 5.1.10\r\n" in report.raw


async def test_arrived_waits_for_as_many_as_asked() -> None:
    boxes = mailboxes()
    wp = user(boxes, "wp@contoso.com")
    boxes.submit(wp, submission("a@b"))
    waiting = asyncio.create_task(boxes.arrived(3))
    await asyncio.sleep(0)
    boxes.submit(wp, submission("a@b"))
    await asyncio.sleep(0)
    assert not waiting.done()
    boxes.submit(wp, submission("a@b"))
    assert len(await waiting) == 3
    assert len(await boxes.arrived(2)) == 3


async def test_arrived_says_how_many_came_when_it_gives_up() -> None:
    with pytest.raises(TimeoutError, match="0 of 1 messages arrived"):
        await mailboxes().arrived(1, timeout=0.001)


async def test_a_change_between_looking_and_waiting_is_not_missed() -> None:
    boxes = mailboxes()
    seen = boxes.changes
    boxes.submit(user(boxes, "wp@contoso.com"), submission("a@b"))
    assert await boxes.wait_for_change(seen) == seen + 1


def test_a_sent_draft_keeps_its_immutable_id_only() -> None:
    boxes = mailboxes()
    wp = user(boxes, "wp@contoso.com")
    draft = boxes.file_draft(wp, MimeDraft(b""), "<1@x>")
    before = draft.id(immutable=False), draft.id(immutable=True)
    boxes.submit(wp, submission("a@b"), draft)
    (sent,) = boxes.box(wp).items(Folder.SENT)
    assert sent.id(immutable=True) == before[1]
    assert sent.id(immutable=False) != before[0]
    assert boxes.drafts(wp) == []


def test_without_bodies_size_and_checksum_are_kept() -> None:
    boxes = mailboxes(MailSettings(keep_bodies=False))
    mail = boxes.submit(user(boxes, "wp@contoso.com"), submission("a@b", body="x" * 1000))
    assert mail.size > 1000
    assert mail.subject == "S"
    assert mail.submitted.head == b"To: a@b\r\nSubject: S\r\n"
    assert len(mail.submitted.sha256) == 64
    with pytest.raises(BodyNotKept):
        _ = mail.raw


def test_pages_of_the_list_go_both_ways() -> None:
    boxes = mailboxes()
    wp = user(boxes, "wp@contoso.com")
    for _ in range(5):
        boxes.submit(wp, submission("a@b"))
    numbers = [mail.number for mail in boxes.mails_before(None, 2)]
    assert numbers == [5, 4]
    assert [mail.number for mail in boxes.mails_before(4, 10)] == [3, 2, 1]
    assert [mail.number for mail in boxes.mails_after(3, 10)] == [4, 5]
    assert [mail.number for mail in boxes.mails_after(0, 2)] == [1, 2]
    assert boxes.mails_before(1, 10) == []


def test_clearing_forgets_all_and_numbers_go_on() -> None:
    boxes = mailboxes()
    wp = user(boxes, "wp@contoso.com")
    boxes.submit(wp, submission("alice@contoso.com"))
    boxes.clear()
    assert (boxes.submitted, boxes.count(), boxes.sent_items(wp)) == ([], 0, [])
    assert boxes.submit(wp, submission("a@b")).number == 2
    assert [mail.number for mail in boxes.mails_before(None, 9)] == [2]
    assert [mail.number for mail in boxes.mails_after(0, 9)] == [2]


def test_the_peak_in_flight_is_the_highest_that_was_seen() -> None:
    boxes = mailboxes()
    wp = user(boxes, "wp@contoso.com")
    for count in (1, 3, 2):
        boxes.note_in_flight(wp, count)
    assert boxes.peak_in_flight("wp@contoso.com") == 3
    assert boxes.peak_in_flight("nobody@contoso.com") == 0
    assert boxes.peaks_in_flight == {"wp@contoso.com": 3}
