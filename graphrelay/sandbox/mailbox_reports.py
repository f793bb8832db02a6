"""The report that Exchange puts in the sender's Inbox when a message that Graph accepted with 202
cannot be delivered after all (RFC 3464; 202 does not promise delivery)."""

from datetime import datetime
from email.utils import format_datetime
from uuid import uuid4

from graphrelay.sandbox.mailbox_items import Bounced, Mail
from graphrelay.sandbox.mime_compose import encoded


def non_delivery_report(mail: Mail, bounced: Bounced, to: str, now: datetime) -> bytes:
    """The octets of the report on one recipient of `mail`."""
    boundary = uuid4().hex
    sections = (
        _for_people(mail, bounced),
        _for_programs(mail, bounced),
        b"Content-Type: text/rfc822-headers\r\n\r\n" + _original_header(mail),
    )
    delimiter = f"--{boundary}".encode()
    return b"\r\n".join(
        [
            _head(mail, to, now, boundary),
            *(delimiter + b"\r\n" + section for section in sections),
            delimiter + b"--\r\n",
        ]
    )


def _head(mail: Mail, to: str, now: datetime, boundary: str) -> bytes:
    domain = to.rpartition("@")[2]
    postmaster = f"MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@{domain}"
    return _lines(
        f"From: Microsoft Outlook <{postmaster}>",
        f"To: {to}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{uuid4()}@{domain}>",
        f"In-Reply-To: {mail.message_id}",
        f"References: {mail.message_id}",
        f"Subject: {encoded('Undeliverable: ' + mail.subject)}",
        "Auto-Submitted: auto-replied",
        "X-MS-Exchange-Message-Is-Ndr:",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f' boundary="{boundary}"',
    )


def _for_people(mail: Mail, bounced: Bounced) -> bytes:
    return _lines(
        'Content-Type: text/plain; charset="utf-8"',
        "Content-Transfer-Encoding: 8bit",
        "",
        "Delivery has failed to these recipients or groups:",
        "",
        bounced.address,
        bounced.diagnostic,
        "",
        f"Subject: {mail.subject}",
    )


def _for_programs(mail: Mail, bounced: Bounced) -> bytes:
    return _lines(
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns;EUR01-SANDBOX.prod.exchangelabs.com",
        "Received-From-MTA: dns;EUR01-SANDBOX.prod.exchangelabs.com",
        f"Arrival-Date: {format_datetime(mail.received_at)}",
        "",
        f"Final-Recipient: rfc822;{bounced.address}",
        "Action: failed",
        f"Status: {bounced.status}",
        f"Diagnostic-Code: smtp;{bounced.diagnostic}",
    )


def _original_header(mail: Mail) -> bytes:
    head = mail.outgoing.head
    return head if head.endswith(b"\n") else head + b"\r\n"


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")
