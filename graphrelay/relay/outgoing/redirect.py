"""Redirected messages (`redirect_to`): all go to one address, with a note to whom they would have
gone.

The original content becomes the second part of a new multipart, octet for octet, and the fields
that describe it (Content-*) move with it. The first part is the note, so that nobody takes a test
for the real message.

    From, To, Subject …                From, X-Graphrelay-To, Subject …
    Content-Type: text/html     ──▶    Content-Type: multipart/mixed
    body                               ├─ the note
                                       └─ Content-Type: text/html, body
"""

from dataclasses import dataclass, field

from graphrelay.mime import address_list
from graphrelay.mime.header import Edits, HeaderSection
from graphrelay.model import Submission

_MOST_NAMED = 200


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What is added around the content."""

    edits: Edits
    before: bytes = field(repr=False)
    after: bytes = field(repr=False)


def wrapping(section: HeaderSection, submission: Submission) -> Wrapping:
    boundary = f"graphrelay-{submission.queue_id.replace('/', '-')}-{submission.id}".encode("ascii")
    content = list(section.find("content-*", "mime-version"))
    moved = b"".join(section.line(one) for one in content if one.name != "mime-version")
    recipients = submission.envelope.forward_paths
    listed = b",\r\n ".join(address_list.addr_spec(one) for one in recipients)
    added = (
        b"X-Graphrelay-Recipients: " + listed + b"\r\n"
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n'
        b"Content-Transfer-Encoding: 8bit\r\n"
    )
    before = (
        b"--" + boundary + b"\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n"
        b"\r\n" + note(submission).encode("utf-8", "replace") + b"\r\n"
        b"--" + boundary + b"\r\n" + moved + b"\r\n"
    )
    edits = Edits(dict.fromkeys(content, b""), added)
    return Wrapping(edits, before, b"\r\n--" + boundary + b"--\r\n")


def note(submission: Submission) -> str:
    """The text of the first part."""
    recipients = submission.envelope.forward_paths
    named = [f"  {one}" for one in recipients[:_MOST_NAMED]]
    more = len(recipients) - len(named)
    lines = [
        f"This message was redirected by the route {submission.plan.route!r}.",
        "It would have gone to:",
        *named,
        *([f"  and {more} more"] if more > 0 else []),
        "",
    ]
    return "\r\n".join(lines)
