"""The outcomes of an attempt: a union of small types, to be matched."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The server's answer, for the mail log; only `code` is ever used for decisions."""

    http_status: int | None = None
    """`None` if there was no HTTP answer."""
    code: str = ""
    """Graph's `error.code` or OAuth's `error`."""
    message: str = ""
    request_id: str = ""
    """Graph's `request-id`: Microsoft's support asks for it."""
    client_request_id: str = ""


class Trouble(StrEnum):
    """Why a lane is paused."""

    AUTHORIZATION = "authorization"
    QUOTA = "quota"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """Graph answered 202: final. Exchange accepted the message; an NDR may still follow."""

    answer: Answer
    lost: tuple[str, ...] = ()
    """What of the message was not sent, in words; empty if it was sent as MIME."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delayed:
    """Nothing was sent; the same submission may succeed later."""

    status: str
    """Enhanced status code, class 4 (RFC 3463)."""
    reason: str
    retry_after: timedelta | None = None
    """How long the server asked to wait, if it did."""
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Nothing was sent, and the same submission will never succeed."""

    status: str
    """Enhanced status code, class 5 (RFC 3463)."""
    reason: str
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """The whole request was sent and there was no clear answer: the message may have been sent."""

    reason: str
    retry_after: timedelta | None = None
    answer: Answer = field(default_factory=Answer)
    draft: str = ""
    """The immutable id of the draft that was to be sent, if there is one: it shows whether the
    message was sent."""
    lost: tuple[str, ...] = ()
    """What of the message was not sent, if it was sent at all, in words."""
    looked: bool = False
    """Whether nothing was sent in this attempt: the mailbox was searched, without a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """Nothing was sent, and nothing else in this lane could be: the lane waits, not the message.

    `retry_after` is when to try again without help; `None` if an administrator has to act (the
    relay still tries now and then).
    """

    trouble: Trouble
    status: str
    reason: str
    remedy: str = ""
    """What to run or to change, such as `graphrelay authorize website`."""
    retry_after: timedelta | None = None
    answer: Answer = field(default_factory=Answer)


Outcome = Relayed | Delayed | Failed | Uncertain | Paused
