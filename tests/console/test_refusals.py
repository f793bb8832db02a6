"""What was refused at the door."""

from datetime import UTC, datetime

from graphrelay.console.refusals import KEPT, Refusals
from graphrelay.journal import Entry, events
from graphrelay.model import Origin

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def refused(reply: str, before: int | None = None) -> Entry:
    origin = Origin(listener="127.0.0.1:25", client="192.0.2.7")
    return Entry(NOON, events.Refused(origin, "RCPT", reply, before, sender="a@b.example"))


def test_the_latest_are_kept_and_all_are_counted_by_their_code() -> None:
    refusals = Refusals()
    for _ in range(KEPT):
        refusals.hear(refused("550 5.7.1 no route"))
    refusals.hear(refused("452 4.3.1 disk full", before=9))
    refusals.hear(Entry(NOON, events.Stopped()))
    assert dict(refusals.by_code) == {"550": KEPT, "452": 10}
    assert len(refusals.latest) == KEPT
    first = refusals.latest[0]
    assert (first.reply, first.times, first.sender, first.recipient) == (
        "452 4.3.1 disk full",
        10,
        "a@b.example",
        "",
    )
