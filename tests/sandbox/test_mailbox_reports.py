from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

from graphrelay.sandbox.mailbox_items import Bounced, Kept, Mail
from graphrelay.sandbox.mailbox_reports import non_delivery_report
from graphrelay.sandbox.mime import fields_of, read_content, read_head

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SENT = Kept(f"To: bad@example.org\r\nSubject: Grüße {'lang ' * 40}\r\n\r\nsecret body\r\n".encode())


def mail() -> Mail:
    return Mail(
        number=1,
        mailbox="wp@contoso.com",
        client_id="app",
        via="mime",
        head=read_head(fields_of(SENT.octets)),
        message_id="<1@x>",
        submitted=SENT,
        outgoing=SENT,
        received=(),
        client_request_id="",
        request_id="",
        received_at=NOW,
        saved_to_sent=True,
    )


def report() -> bytes:
    bounced = Bounced("bad@example.org", "5.1.10", "550 5.1.10 Recipient not found")
    return non_delivery_report(mail(), bounced, "wp@contoso.com", NOW)


def test_it_is_a_report_of_rfc_3464_that_names_the_message() -> None:
    parsed = message_from_bytes(report(), policy=default)
    assert not parsed.defects
    assert parsed.get_content_type() == "multipart/report"
    assert parsed["In-Reply-To"] == "<1@x>"
    assert parsed["To"] == "wp@contoso.com"
    assert parsed["Subject"] == f"Undeliverable: Grüße {'lang ' * 40}".strip()
    people, programs, original = parsed.iter_parts()
    assert "bad@example.org" in people.get_content()
    assert "Subject: Grüße" in people.get_content()
    assert original.get_content_type() == "text/rfc822-headers"
    assert b"secret body" not in report()
    status = programs.as_bytes()
    assert b"Final-Recipient: rfc822;bad@example.org" in status
    assert b"Action: failed" in status
    assert b"Status: 5.1.10" in status


def test_every_line_ends_in_crlf_and_it_is_read_by_the_page() -> None:
    octets = report()
    assert octets.count(b"\n") == octets.count(b"\r\n")
    assert "Delivery has failed" in read_content(octets).text
    assert read_head(fields_of(octets)).sender[0].name == "Microsoft Outlook"
