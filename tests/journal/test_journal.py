"""The journal's lines, as people and machines read them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from graphrelay.journal import Journal, stream_sink
from graphrelay.model import (
    Address,
    Answer,
    Delayed,
    Envelope,
    InlineBody,
    Lane,
    Origin,
    Paused,
    Plan,
    Submission,
    Trouble,
)
from tests.clock import FakeClock

LANE = Lane("site", "wp@contoso.com")
SUBMISSION = Submission(
    id=1,
    queue_id="4QX7K2M9",
    envelope=Envelope(Address("wp", "contoso.com"), (Address("a", "example.org"),)),
    origin=Origin("127.0.0.1:2525", "127.0.0.1"),
    plan=Plan(route="default", lane=LANE),
    received_at=datetime(2026, 11, 23, tzinfo=UTC),
    message_id="<1@contoso.com>",
    prefix=b"",
    body=InlineBody(b"Subject: secret plans\r\n\r\n"),
    attempts=0,
)


def test_an_event_is_one_line_with_the_time_the_event_and_the_queue_id() -> None:
    lines: list[str] = []
    journal = Journal(FakeClock(), stream_sink(lines.append))
    journal.accepted(
        "4QX7K2M9",
        None,
        [Address("a", "example.org"), Address("b", "example.org")],
        SUBMISSION.origin,
        size=2310,
        message_id="<1@contoso.com>",
    )
    assert lines == [
        "2026-11-23T12:00:00Z accepted 4QX7K2M9 sender=<> "
        "recipients=<a@example.org>,<b@example.org> size=2310 client=127.0.0.1 "
        "listener=127.0.0.1:2525 message_id=<1@contoso.com>\n"
    ]


def test_a_sentence_is_quoted_and_cannot_break_the_line() -> None:
    lines: list[str] = []
    journal = Journal(FakeClock(), stream_sink(lines.append))
    outcome = Delayed(
        status="4.7.0",
        reason='told to wait\n2026-11-23T12:00:00Z accepted FAKE "x"',
        retry_after=timedelta(seconds=2),
        answer=Answer(http_status=429, code="TooManyRequests"),
    )
    journal.delayed(SUBMISSION, outcome, datetime(2026, 11, 23, 13, tzinfo=UTC))
    assert len(lines) == 1
    assert lines[0].count("\n") == 1
    assert r'reason="told to wait\n2026-11-23T12:00:00Z accepted FAKE \"x\""' in lines[0]
    assert "until=2026-11-23T13:00:00+00:00" in lines[0]


@pytest.mark.parametrize("style", ["text", "json"])
def test_nothing_that_a_terminal_obeys_gets_into_the_log(style: Literal["text", "json"]) -> None:
    """Controls beyond ASCII (CSI is U+009B), ends of lines, changes of direction; and half of a
    surrogate pair, which no log could take, says what it is too."""
    lines: list[str] = []
    sender = "<a\x1b[2J\x9b31m\x7f\u2028b\u202ec\ud800>"
    Journal(FakeClock(), stream_sink(lines.append, style)).warning("refused", sender=sender)
    assert lines[0].removesuffix("\n").isprintable()
    assert r"<a\u001b[2J\u009b31m\u007f\u2028b\u202ec\ud800>" in lines[0]


def test_json_says_the_same_as_the_text() -> None:
    lines: list[str] = []
    journal = Journal(FakeClock(), stream_sink(lines.append, "json"))
    journal.paused(
        LANE,
        Paused(
            trouble=Trouble.AUTHORIZATION,
            status="4.7.0",
            reason="the refresh token expired",
            remedy="graphrelay authorize site",
        ),
        None,
    )
    assert json.loads(lines[0]) == {
        "time": "2026-11-23T12:00:00+00:00",
        "level": "error",
        "event": "paused",
        "account": "site",
        "mailbox": "wp@contoso.com",
        "trouble": "authorization",
        "status": "4.7.0",
        "reason": "the refresh token expired",
        "remedy": "graphrelay authorize site",
        "until": None,
        "http": None,
        "code": None,
    }


def test_no_line_holds_the_body() -> None:
    lines: list[str] = []
    journal = Journal(FakeClock(), stream_sink(lines.append), stream_sink(lines.append, "json"))
    journal.attempt(SUBMISSION, 1)
    journal.held("4QX7K2M9", "by hand")
    assert len(lines) == 4
    assert not any("secret plans" in line for line in lines)


def test_only_the_wanted_level_and_graver_is_written() -> None:
    lines: list[str] = []
    journal = Journal(FakeClock(), stream_sink(lines.append, level="warning"))
    journal.notice("listening", address="127.0.0.1:2525")
    journal.warning("disk-low", free="1 GB")
    assert lines == ['2026-11-23T12:00:00Z disk-low free="1 GB"\n']


@pytest.mark.parametrize("trouble", [OSError(28, "No space left"), KeyError("a mistake of ours")])
def test_a_log_that_cannot_be_written_stops_nothing_and_says_later_how_much_is_missing(
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
    journal.notice("first")
    journal.notice("second")
    broken = False
    journal.notice("third")
    assert lines == [
        f"2026-11-23T12:00:00Z journal-lost lines=2 reason={json.dumps(repr(trouble))}\n",
        "2026-11-23T12:00:00Z third\n",
    ]
    assert len(beside) == 3
