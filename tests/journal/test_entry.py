"""An event and when it was, as sinks read it."""

from datetime import UTC, datetime

from graphrelay.journal import Entry
from graphrelay.journal.events import Held, Resumed
from graphrelay.model import Lane

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_the_queue_id_stands_by_itself() -> None:
    entry = Entry(NOON, Held("4QX7K2M9", "by hand"))
    assert (entry.level, entry.event, entry.queue_id) == ("warning", "held", "4QX7K2M9")
    assert entry.fields == {"reason": "by hand"}


def test_an_event_about_no_message_has_no_queue_id() -> None:
    entry = Entry(NOON, Resumed(Lane("website", "wp@contoso.com"), "it works"))
    assert entry.queue_id == ""
    assert list(entry.fields) == ["account", "mailbox", "reason"]
