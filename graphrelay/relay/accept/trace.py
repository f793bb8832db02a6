"""Loops: mail that comes back is refused before it circulates forever (RFC 5321 section 6.3).

    application ─▶ relay ─▶ Exchange ─▶ a rule or a connector ─▶ application ─▶ relay ─▶ …

Every server on the way adds a Received field, so a message with very many of them is in a loop. The
relay adds its own, with a mark by which to recognise it, to mail that already has one: a few of
those are proof enough. Mail that comes directly from an application gets none, so that recipients
do not see the application's address.
"""

from datetime import datetime
from email.utils import format_datetime

from graphrelay.mime.header import HeaderSection
from graphrelay.model import Reply

MOST_HOPS = 50
"""The limit for Received fields; that of Postfix."""
MOST_VISITS = 3
"""The limit for Received fields of this relay."""
_COMMENT = "(graphrelay)"


def loop(section: HeaderSection, hostname: str) -> Reply | None:
    """The refusal of a message that has passed too often."""
    fields = list(section.find("received"))
    mark = _mark(hostname) if fields else b""
    visits = sum(section.unfolded(found).startswith(mark) for found in fields)
    if visits >= MOST_VISITS:
        return Reply(554, "5.4.6", f"Mail loop: this message has been here {visits} times")
    if len(fields) > MOST_HOPS:
        return Reply(554, "5.4.6", f"Mail loop: this message has {len(fields)} Received fields")
    return None


def received(section: HeaderSection, hostname: str, at: datetime) -> bytes:
    """The field for a message that has passed a server before; else nothing."""
    if section.first("received") is None:
        return b""
    return b"Received: " + _mark(hostname) + f"; {format_datetime(at)}\r\n".encode("ascii")


def _mark(hostname: str) -> bytes:
    return f"by {hostname} {_COMMENT}".encode("ascii", "replace")
