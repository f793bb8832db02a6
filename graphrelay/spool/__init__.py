"""The mail that we own: one SQLite database, one thread that writes it, large bodies as files
beside it. `Spool.open` is the only way in; docs/spool.md tells what stands on the disk."""

from graphrelay.spool.errors import MailLost, NotQueued, SpoolInUse, SpoolTooNew
from graphrelay.spool.spool import Spool
from graphrelay.spool.sqlite.files.disk import Disk
from graphrelay.spool.values import (
    Changed,
    Event,
    Interrupted,
    LogFilter,
    LogRow,
    MessageHistory,
    PartHistory,
    QueueFilter,
    QueueRow,
    Refused,
    Stats,
    Verdict,
)

__all__ = [
    "Changed",
    "Disk",
    "Event",
    "Interrupted",
    "LogFilter",
    "LogRow",
    "MailLost",
    "MessageHistory",
    "NotQueued",
    "PartHistory",
    "QueueFilter",
    "QueueRow",
    "Refused",
    "Spool",
    "SpoolInUse",
    "SpoolTooNew",
    "Stats",
    "Verdict",
]
