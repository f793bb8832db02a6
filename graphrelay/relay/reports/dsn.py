"""The octets of a delivery status notification (DSN, RFC 3464): undeliverable or delayed. Pure.

    multipart/report
      text/plain                what happened, to whom, what the relay does, what to do
      message/delivery-status   the same for programs
      text/rfc822-headers       the header section of the message

Addresses beyond ASCII are in UTF-8 (RFC 6532), and make those parts `message/global-…`. A DSN has
the null reverse path, `Auto-Submitted`, and a field of the relay's own, so that it is never
answered by another DSN.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from graphrelay.model import Address, Answer, InlineBody, Submission, one_line

MARK = "X-Graphrelay-Notice"
"""The header field of a DSN from this relay."""
_MOST_HEADER = 32 * 1024
_MOST_RETURNED = 64 * 1024
_LONGEST_LINE = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Dsn:
    """What a notification says about a submission."""

    action: str
    """`failed`, `delayed` or `relayed` (RFC 3464 section 2.3.3)."""
    status: str
    """Enhanced status code (RFC 3463)."""
    reason: str
    following: str
    """What the relay does next, and what the reader can do."""
    answer: Answer
    at: datetime
    """When the last attempt was made."""
    retried_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DsnParties:
    """Who sends a notification, and who receives it."""

    sender: str
    recipient: Address
    message_id: str
    """With its angle brackets."""
    hostname: str
    boundary: str


DsnEntry = tuple[Dsn, Submission]
"""What a notification says, and about which recipients of the message."""


def compose(entries: Sequence[DsnEntry], parties: DsnParties, header: bytes) -> bytes:
    """The whole notification, about parts of one message with that header section."""
    dsn, submission = entries[0]
    parts = (
        _part("text/plain; charset=utf-8", _base64(_text(entries, parties))),
        _part(*_status(entries, parties)),
        _returned(submission, header),
    )
    boundary = parties.boundary.encode("ascii")
    body = b"".join(b"--" + boundary + b"\r\n" + part for part in parts)
    return _head(dsn, parties, submission) + body + b"--" + boundary + b"--\r\n"


_SUBJECTS = {"failed": "Undelivered mail", "delayed": "Delayed mail", "relayed": "Relayed mail"}


def _returned(submission: Submission, header: bytes) -> bytes:
    """RFC 3461 section 4.3: the whole of a small message that failed if the sender asked for it,
    else its header section; in the global form (RFC 6533 section 6) if they need it."""
    match submission.envelope.ret, submission.body:
        case "FULL", InlineBody(octets) if len(octets) <= _MOST_RETURNED:
            whole = submission.prefix + octets
            kind = "message/global" if _is_global(header) else "message/rfc822"
            return _part(kind, b"8bit", whole)
        case _:
            lines = _lines(header[:_MOST_HEADER])
            kind = "message/global-headers" if _is_global(lines) else "text/rfc822-headers"
            return _part(kind, b"8bit", lines)


def _is_global(header: bytes) -> bool:
    """Whether it has UTF-8 (RFC 6532), and not octets of other charsets, which are not allowed."""
    try:
        return not header.isascii() and bool(header.decode())
    except UnicodeDecodeError:
        return False


def _head(dsn: Dsn, parties: DsnParties, submission: Submission) -> bytes:
    lines = [
        f"From: Mail relay <{parties.sender}>",
        f"To: <{parties.recipient}>",
        f"Subject: {_SUBJECTS[dsn.action]} ({submission.queue_id})",
        f"Date: {format_datetime(dsn.at)}",
        f"Message-ID: {parties.message_id}",
        "Auto-Submitted: auto-replied",
        f"{MARK}: {submission.queue_id}",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f' boundary="{parties.boundary}"',
    ]
    if reference := _reference(submission.message_id):
        lines += [f"In-Reply-To: {reference}", f"References: {reference}"]
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n"


def _text(entries: Sequence[DsnEntry], parties: DsnParties) -> bytes:
    dsn, submission = entries[0]
    heads = {
        "failed": "This message could not be delivered to",
        "delayed": "This message has not been delivered yet to",
        "relayed": "This message was submitted to Microsoft 365 for",
    }
    received = format_datetime(submission.received_at)
    paragraphs = [
        f"This is the mail relay on {parties.hostname}.",
        *_paragraphs(entries, f"{heads[dsn.action]}:"),
        dsn.following,
        f"It was accepted on {received} from {submission.origin.client}, as {submission.queue_id}.",
    ]
    return "\r\n\r\n".join(paragraphs).encode("utf-8", "replace") + b"\r\n"


def _paragraphs(entries: Sequence[DsnEntry], head: str) -> Iterator[str]:
    """Those who failed for the same reason together, with the first one's answer."""
    groups: dict[str, list[DsnEntry]] = {}
    for one in entries:
        groups.setdefault(one[0].reason, []).append(one)
    for reason, group in groups.items():
        yield "\r\n".join([head, *(line for _, one in group for line in _recipients(one))])
        yield reason
        if said := _diagnostic(group[0][0].answer):
            yield f"Microsoft's answer: {said}"


def _recipients(submission: Submission) -> Sequence[str]:
    return [f"    {path}" for path in submission.envelope.forward_paths]


def _status(entries: Sequence[DsnEntry], parties: DsnParties) -> tuple[str, bytes, bytes]:
    """Type, transfer encoding and octets; the global form (RFC 6533) if addresses need it."""
    _, submission = entries[0]
    envelope = submission.envelope
    lines = [
        f"Reporting-MTA: dns; {parties.hostname}",
        f"X-Queue-ID: {submission.queue_id}",
        *([f"Original-Envelope-Id: {envelope.envelope_id}"] if envelope.envelope_id else []),
        f"Arrival-Date: {format_datetime(submission.received_at)}",
    ]
    for one in entries:
        lines += _of_each(*one)
    octets = "\r\n".join(line[:_LONGEST_LINE] for line in lines).encode("utf-8", "replace")
    if octets.isascii():
        return "message/delivery-status", b"7bit", octets + b"\r\n"
    return "message/global-delivery-status", b"8bit", octets + b"\r\n"


def _of_each(dsn: Dsn, submission: Submission) -> list[str]:
    """The fields of each recipient (RFC 3464 section 2.3)."""
    lines: list[str] = []
    original = {one.path: one.original for one in submission.envelope.dsn_requests}
    for path in submission.envelope.forward_paths:
        kind = "rfc822" if str(path).isascii() else "utf-8"
        lines += [
            "",
            *([f"Original-Recipient: {original[path]}"] if original.get(path) else []),
            f"Final-Recipient: {kind}; {path}",
            f"Action: {dsn.action}",
            f"Status: {dsn.status}",
            f"Last-Attempt-Date: {format_datetime(dsn.at)}",
        ]
        if said := _diagnostic(dsn.answer):
            lines.append(f"Diagnostic-Code: x-microsoft-graph; {said}")
        if dsn.retried_until:
            lines.append(f"Will-Retry-Until: {format_datetime(dsn.retried_until)}")
    return lines


def _diagnostic(answer: Answer) -> str:
    status = f"HTTP {answer.http_status}" if answer.http_status is not None else ""
    request = f"(request-id {answer.request_id})" if answer.request_id else ""
    words = (status, answer.code, answer.message, request)
    return one_line(" ".join(words))


def _part(kind: str, encoding: bytes | tuple[bytes, bytes], octets: bytes = b"") -> bytes:
    if isinstance(encoding, tuple):
        encoding, octets = encoding
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: ".encode("ascii")
    return head + encoding + b"\r\n\r\n" + octets + b"\r\n"


def _base64(octets: bytes) -> tuple[bytes, bytes]:
    return b"base64", base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _lines(octets: bytes) -> bytes:
    """Complete lines only, of limited length."""
    lines = octets.split(b"\r\n")[:-1]
    return b"\r\n".join(line[:_LONGEST_LINE] for line in lines) + b"\r\n"


def _reference(message_id: str) -> str:
    plain = message_id.isascii() and message_id.isprintable() and " " not in message_id
    return message_id if plain and message_id.startswith("<") and message_id.endswith(">") else ""
