"""The nouns that every room shares: addresses, the envelope, where mail came from, where it goes,
and what came of each attempt.

All of them are values: frozen, compared by content, free of I/O. The rooms (smtp, spool, oauth,
graph) are strangers to each other and meet only in these words. What a room needs from another
one it is handed as a protocol.

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
    "StorageUnavailable",
    "Submission",
    "Trouble",
    "Uncertain",
    "in_small_letters",
    "one_line",
    "same_address",
    "without_controls",
]
