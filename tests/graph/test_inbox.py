"""Graph's list of a mailbox: invalid entries are skipped."""

import json

from graphrelay.graph import inbox


def test_an_item_with_a_date_beyond_the_calendar_hides_no_other() -> None:
    items = [
        {"id": "early", "receivedDateTime": "0001-01-01T00:00:00+14:00"},
        {"id": "no date", "receivedDateTime": "yesterday"},
        {"id": "good", "receivedDateTime": "2026-11-23T12:00:00Z"},
    ]
    found = inbox._found(json.dumps({"value": items}).encode())
    assert [one.id for one in found] == ["good"]
