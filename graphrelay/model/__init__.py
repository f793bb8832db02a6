"""The values that all packages share: addresses, the envelope, the origin and plan of a message,
and the outcomes of attempts.

All of them are frozen, compared by content, and free of I/O. The packages smtp, spool, oauth and
graph do not import each other and share only these types. What a package needs from another one is
passed to it as a protocol.

    smtp ── Envelope, Origin, IncomingBody ──▶ relay ── Plan ──▶ spool ── Submission ──▶ relay
    relay ── OctetSource ──▶ graph ── Outcome ──▶ relay ── Attempt ──▶ spool
"""

from graphrelay.model.address import LONGEST_ADDRESS, Address, in_small_letters, same_address
from graphrelay.model.attempt import Attempt, Done, Held, NextState, Queued
from graphrelay.model.envelope import Accepted, DsnRequest, Envelope, Notify, Origin, Reply
from graphrelay.model.line import one_line, without_controls
from graphrelay.model.message import (
    Body,
    DraftProgress,
    IncomingBody,
    InlineBody,
    NewMessage,
    OctetsInMemory,
    OctetSource,
    QueueEntry,
    StorageAway,
    StorageUnavailable,
    Submission,
)
from graphrelay.model.outcome import (
    Answer,
    Delayed,
    Failed,
    Outcome,
    Paused,
    Relayed,
    Trouble,
    Uncertain,
)
from graphrelay.model.plan import Lane, Plan
from graphrelay.model.reception import Reception

__all__ = [
    "LONGEST_ADDRESS",
    "Accepted",
    "Address",
    "Answer",
    "Attempt",
    "Body",
    "Delayed",
    "Done",
    "DraftProgress",
    "DsnRequest",
    "Envelope",
    "Failed",
    "Held",
    "IncomingBody",
    "InlineBody",
    "Lane",
    "NewMessage",
    "NextState",
    "Notify",
    "OctetSource",
    "OctetsInMemory",
    "Origin",
    "Outcome",
    "Paused",
    "Plan",
    "QueueEntry",
    "Queued",
    "Reception",
    "Relayed",
    "Reply",
    "StorageAway",
    "StorageUnavailable",
    "Submission",
    "Trouble",
    "Uncertain",
    "in_small_letters",
    "one_line",
    "same_address",
    "without_controls",
]
