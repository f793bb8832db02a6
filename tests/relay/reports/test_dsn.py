"""A notice conforms to RFC 3464, whatever the message that it is about."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.model import Address, Answer, Envelope, InlineBody, Submission
from graphrelay.relay.reports.dsn import MARK, Dsn, DsnParties, compose
from tests.relay.delivery import submission

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ABOUT = submission(7)
HEADER = b"From: wp@contoso.com\r\nTo: a@example.org\r\nSubject: Order\r\n"
FAILED = Dsn(
    action="failed",
    status="5.1.3",
    reason="Reason: Exchange refused the address of a recipient.",
    following="The relay does not try again.",
    answer=Answer(
        http_status=400,
        code="ErrorInvalidRecipients",
        message="At least one recipient is not valid.",
        request_id="abc",
    ),
    at=NOW,
)
LETTER = DsnParties(
    sender="wp@contoso.com",
    recipient=Address("scanner", "contoso.com"),
    message_id="<Q7.failed@relay.example.org>",
    hostname="relay.example.org",
    boundary="notice-Q7-failed",
)


def parsed(octets: bytes) -> EmailMessage:
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def notice(told: Dsn = FAILED, about: Submission = ABOUT, header: bytes = HEADER) -> EmailMessage:
    return parsed(compose([(told, about)], LETTER, header))


def status_of(message: EmailMessage) -> tuple[EmailMessage, list[EmailMessage]]:
    [_, status, _] = message.iter_parts()
    assert isinstance(status, EmailMessage)
    first, *others = cast(list[EmailMessage], status.get_payload())
    return first, others


def test_a_notice_is_a_report_of_three_parts_that_asks_for_no_answer() -> None:
    message = notice()
    assert message.get_content_type() == "multipart/report"
    assert message["Content-Type"].params["report-type"] == "delivery-status"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    assert message["Auto-Submitted"] == "auto-replied"
    assert message[MARK] == "Q7"
    assert message["To"] == "scanner@contoso.com"
    assert message["From"] == "Mail relay <wp@contoso.com>"
    assert message["In-Reply-To"] == "<7@contoso.com>"


def test_people_read_what_happened_why_and_what_to_do() -> None:
    [text, *_] = notice().iter_parts()
    content = text.get_content()
    for words in (
        "could not be delivered to",
        "a@example.org",
        "Exchange refused the address of a recipient.",
        "HTTP 400 ErrorInvalidRecipients At least one recipient is not valid. (request-id abc)",
        "The relay does not try again.",
        "as Q7",
    ):
        assert words in content


def test_programs_read_status_and_reason_for_each_recipient() -> None:
    paths = (Address("a", "example.org"), Address("b", "example.org"))
    about = replace(ABOUT, envelope=Envelope(Address("wp", "contoso.com"), paths))
    whole, each = status_of(notice(about=about))
    assert whole["Reporting-MTA"] == "dns; relay.example.org"
    assert whole["Arrival-Date"]
    finals = [one["Final-Recipient"] for one in each if one["Final-Recipient"]]
    assert finals == ["rfc822; a@example.org", "rfc822; b@example.org"]
    assert each[0]["Action"] == "failed"
    assert each[0]["Status"] == "5.1.3"
    assert "ErrorInvalidRecipients" in each[0]["Diagnostic-Code"]


def test_a_delay_says_until_when_it_is_tried() -> None:
    told = replace(FAILED, action="delayed", status="4.3.2", retried_until=NOW + timedelta(days=5))
    message = notice(told)
    assert message["Subject"] == "Delayed mail (Q7)"
    _, [one] = status_of(message)
    assert one["Action"] == "delayed"
    assert one["Will-Retry-Until"] == "Sat, 28 Nov 2026 12:00:00 +0000"


def test_addresses_beyond_ascii_make_it_a_global_report() -> None:
    paths = (Address("jörg", "exämple.org"),)
    about = replace(ABOUT, envelope=Envelope(Address("wp", "contoso.com"), paths))
    octets = compose([(FAILED, about)], LETTER, HEADER)
    kinds = [part.get_content_type() for part in parsed(octets).iter_parts()]
    assert kinds[1] == "message/global-delivery-status"
    assert "Final-Recipient: utf-8; jörg@exämple.org\r\n".encode() in octets


@pytest.mark.parametrize("name", ["jörg@exämple.org", "用户@例子.中国"])
def test_a_mailbox_and_a_sender_beyond_ascii_get_their_notice(name: str) -> None:
    """Addresses as in RFC 6532: Graph accepts MIME in UTF-8."""
    parties = replace(LETTER, sender=name, recipient=Address.parse(name))
    octets = compose([(FAILED, ABOUT)], parties, HEADER)
    assert f"From: Mail relay <{name}>\r\nTo: <{name}>\r\n".encode() in octets
    assert len(list(parsed(octets).iter_parts())) == 3


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        (b"Order", "text/rfc822-headers"),
        ("Grüße".encode(), "message/global-headers"),
        ("Grüße".encode("latin-1"), "text/rfc822-headers"),
    ],
)
def test_a_header_section_in_utf_8_is_returned_as_a_global_one(subject: bytes, kind: str) -> None:
    """RFC 6533 section 6.3; what is not UTF-8 may not be labelled as UTF-8."""
    header = b"Subject: " + subject + b"\r\n"
    octets = compose([(FAILED, ABOUT)], LETTER, header)
    assert [part.get_content_type() for part in parsed(octets).iter_parts()][2] == kind
    assert header in octets


@pytest.mark.parametrize(
    ("subject", "kind"),
    [(b"x", "message/rfc822"), ("ü".encode(), "message/global"), (b"\xfc", "message/rfc822")],
)
def test_a_whole_message_in_utf_8_is_returned_as_a_global_one(subject: bytes, kind: str) -> None:
    octets = b"Subject: " + subject + b"\r\n\r\n" + "ü\r\n".encode()
    envelope = replace(ABOUT.envelope, ret="FULL")
    about = replace(ABOUT, envelope=envelope, body=InlineBody(octets))
    header = octets.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert f"Content-Type: {kind}\r\n".encode() in compose([(FAILED, about)], LETTER, header)


def test_the_original_header_section_comes_along_but_no_endless_one() -> None:
    [*_, original] = notice().iter_parts()
    assert "Subject: Order" in original.get_content()
    long = b"X: " + b"x" * 50_000 + b"\r\n" + HEADER
    assert len(compose([(FAILED, ABOUT)], LETTER, long)) < 40_000


@pytest.mark.parametrize("message_id", ["", "not an id", "<a b@c>", "<\r\nBcc: x@y>", "<ü@x>"])
def test_a_broken_message_id_is_not_answered_to(message_id: str) -> None:
    message = notice(about=replace(ABOUT, message_id=message_id))
    assert message["In-Reply-To"] is None
    assert message["Bcc"] is None


@given(
    header=st.binary(max_size=3_000),
    said=st.text(max_size=300),
    reason=st.text(max_size=300),
    local=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20),
)
def test_nothing_that_others_wrote_breaks_its_form(
    header: bytes, said: str, reason: str, local: str
) -> None:
    told = replace(FAILED, reason=reason, answer=replace(FAILED.answer, message=said))
    paths = (Address(local, "example.org"),)
    about = replace(ABOUT, envelope=Envelope(None, paths))
    octets = compose([(told, about)], LETTER, header.replace(b"notice-Q7-failed", b""))
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    assert len(list(message.iter_parts())) == 3
    assert message["Bcc"] is None
    assert octets.count(b"--notice-Q7-failed") == 4
    assert b"\n" not in octets.replace(b"\r\n", b"")
