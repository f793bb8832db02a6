"""What came of one try at Graph: a union of small types, matched by whoever decides."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the other side said, for the mail log; never a basis for decisions but for `code`."""

    http_status: int | None = None
    """`None` where no HTTP answer came."""
    code: str = ""
    """Graph's `error.code` or OAuth's `error`."""
    message: str = ""
    request_id: str = ""
    """Graph's `request-id`: what Microsoft's support asks for."""
    client_request_id: str = ""


class Trouble(StrEnum):
    """Why a lane as a whole is paused."""

    AUTHORIZATION = "authorization"
    QUOTA = "quota"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """Graph answered 2xx: final. Exchange took the message; an NDR may still follow."""

    answer: Answer
    lost: tuple[str, ...] = ()
    """What of the message did not go along, in words; nothing, where it went as MIME."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delayed:
    """Nothing was sent; the same submission may succeed later."""

    status: str
    """Enhanced status code, class 4 (RFC 3463)."""
    reason: str
    retry_after: timedelta | None = None
    """How long the other side asked to be left alone, if it did."""
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
    """The request went out whole and no clear answer came back: it may have been sent."""

    reason: str
    retry_after: timedelta | None = None
    answer: Answer = field(default_factory=Answer)
    draft: str = ""
    """The immutable id of the draft that was to be sent, where one was made: it settles the doubt
    for certain."""
    lost: tuple[str, ...] = ()
    """What of the message did not go along if it was sent, in words."""
    looked: bool = False
    """Whether nothing was sent this time: the mailbox was asked for it, and showed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """Nothing was sent, and nothing else in this lane would be: the lane waits, not the message.

    `retry_after` is when to try again without anybody's help; `None` where only a person helps
    (the relay still looks now and then).
    """

    trouble: Trouble
    status: str
    reason: str
    remedy: str = ""
    """What to run or to change, such as `graphrelay authorize website`."""
    retry_after: timedelta | None = None
    answer: Answer = field(default_factory=Answer)


Outcome = Relayed | Delayed | Failed | Uncertain | Paused
