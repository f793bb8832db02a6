"""How Exchange Online is set up in the sandbox: limits, and behaviour that the documents leave
open.

Where Microsoft's documents and reports from the field disagree, each answer is a setting, because
the code under test must not depend on either.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

Oversize = Literal["413", "400", "200"]
MimeDraftFiles = Literal["properties", "kept", "left-out"]

PROMOTED = frozenset(
    {
        "bcc",
        "cc",
        "comments",
        "content-class",
        "date",
        "disposition-notification-to",
        "from",
        "importance",
        "in-reply-to",
        "keywords",
        "list-help",
        "list-subscribe",
        "list-unsubscribe",
        "message-id",
        "mime-version",
        "priority",
        "references",
        "reply-to",
        "return-receipt-to",
        "sender",
        "sensitivity",
        "subject",
        "thread-index",
        "thread-topic",
        "to",
        "x-priority",
        "x-msmail-priority",
    }
)
"""The header fields that have a property of their own in a mailbox (MS-OXCMAIL)."""


@dataclass(slots=True, kw_only=True)
class MailSettings:
    """Set at the start, or changed by tests while the sandbox runs."""

    request_limit: int = 4_000_000
    """Octets of a request's body, so of the base64. Documented as "4MB"; whether that is
    4,000,000 or 4,194,304 is not."""
    oversize: Oversize = "413"
    """What a larger request gets: 413 RequestEntityTooLarge, 400 BadRequest ("The maximum request
    length supported is 4MB."), or, seen once, 200 and no mail."""
    message_limit: int = 35 * 1024 * 1024
    """Octets of a whole message with its attachments (Set-Mailbox -MaxSendSize)."""
    mime_draft_files: MimeDraftFiles = "properties"
    """What becomes of a draft in MIME that is given a file, which is not documented: it is written
    anew from its properties, or the MIME is kept and the file added, or the MIME is sent as it was
    and the file left out, though the draft lists it."""
    recipient_limit: int = 500
    """Recipients of one message (Set-Mailbox -RecipientLimits)."""
    in_flight_limit: int = 4
    """Requests at once for an application and mailbox; one more gets 429."""
    in_flight_retry_after: str | None = "1"
    """The Retry-After header of that 429."""
    requests_per_10_minutes: int | None = None
    """For an application and mailbox; Exchange Online allows 10,000. Off by default, since the
    sandbox is also what load is measured against."""
    upload_octets_per_5_minutes: int | None = None
    """For an application and mailbox; Exchange Online allows 150 MB."""
    promoted_headers: frozenset[str] | None = None
    """Header fields, in lower case, that survive submission as MIME; `None` lets all survive.
    `PROMOTED` is the worst case that was reported: a mailbox that drops what it does not know."""
    send_from_alias: bool = False
    """Set-OrganizationConfig -SendFromAliasEnabled: else an alias in From becomes the primary
    address."""
    users_by_address: bool = False
    """Whether `/users/{…}` takes an SMTP address that is not the UPN; reports from the field say
    404 ErrorInvalidUser."""
    permanent_delete: bool = True
    """Whether permanentDelete exists; it does not in every cloud."""
    ids_survive_sending: bool = True
    """Whether the immutable id of a draft stays that of the copy in Sent Items. One page of the
    documents says so; another and several reports say the opposite."""
    aliases_resolved: bool = False
    """Whether the copy in Sent Items names recipients by their primary addresses."""
    report_class: str = "REPORT.IPM.Note.NDR"
    """PidTagMessageClass of Exchange's non-delivery reports; that of a signed message has another,
    such as `REPORT.IPM.Note.SMIME.NDR`."""
    reports_as_mime: bool = True
    """Whether `$value` shows such reports; else 500 ErrorMimeContentConversionFailed."""
    access_policies: dict[str, set[str]] = field(default_factory=dict)
    """Application access policies (RestrictAccess): client id -> the only mailboxes it may use."""
    upload_lifetime: timedelta = timedelta(hours=1)
    """How long an upload session lives; not documented, so tests shorten it."""
    attachment_minimum: int = 3 * 1024 * 1024
    """Below this an upload session is refused; at or above it a direct attachment is."""
    keep_bodies: bool = True
    """`False` keeps header section, size and SHA-256 of each message, for tests under load."""
