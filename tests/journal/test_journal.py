"""Every event reaches every sink, and a log that cannot be written stops nothing."""

import json

import pytest

from graphrelay.journal import Journal, events, stream_sink
from tests.clock import FakeClock


def test_only_the_wanted_level_and_above_is_written() -> None:
    lines: list[str] = []
    journal = Journal(FakeClock(), stream_sink(lines.append, level="warning"))
    journal.write(events.Listening("127.0.0.1:2525", "off", "off"))
    journal.write(events.SpoolHousekeeping("database is locked"))
    assert lines == ['2026-11-23T12:00:00Z spool-housekeeping reason="database is locked"\n']


@pytest.mark.parametrize("trouble", [OSError(28, "No space left"), KeyError("a mistake of ours")])
def test_a_log_that_cannot_be_written_stops_nothing_and_later_says_how_much_is_missing(
    trouble: Exception,
) -> None:
    lines: list[str] = []
    broken = True

    def write(line: str) -> None:
        if broken:
            raise trouble
        lines.append(line)

    beside: list[str] = []
    journal = Journal(FakeClock(), stream_sink(write), stream_sink(beside.append))
    journal.write(events.Revoked("first"))
    journal.write(events.Revoked("second"))
    broken = False
    journal.write(events.Revoked("third"))
    assert lines == [
        f"2026-11-23T12:00:00Z journal-lost lines=2 reason={json.dumps(repr(trouble))}\n",
        "2026-11-23T12:00:00Z revoked account=third\n",
    ]
    assert len(beside) == 3
