"""Bodies are read from any position, and a queue entry has what the queue's order needs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from graphrelay.model import DraftProgress, InlineBody, QueueEntry, Submission
from tests.spool.mail import ANNA, NOON, ORIGIN, WEBSITE, WP, a_message, plan


def submission(author: str = "", login: str | None = None, prefix: bytes = b"") -> Submission:
    return Submission(
        id=7,
        queue_id="4QX7K2M9AB",
        envelope=a_message().envelope,
        origin=replace(ORIGIN, author=author, login=login),
        plan=plan(),
        received_at=NOON,
        message_id="<1@contoso.com>",
        prefix=prefix,
        body=InlineBody(b"Hello\r\n"),
        attempts=0,
    )


@pytest.mark.parametrize(
    ("start", "end", "octets"), [(0, 5, b"01234"), (3, 5, b"34"), (8, 20, b"89"), (20, 30, b"")]
)
def test_a_small_body_is_read_at_any_place(start: int, end: int, octets: bytes) -> None:
    body = InlineBody(b"0123456789")
    assert body.size == 10
    assert body.read(start, end) == octets


def test_the_size_of_a_message_counts_the_fields_that_were_added() -> None:
    assert submission().size == 7
    assert submission(prefix=b"Date: x\r\n").size == 16


def test_an_entry_is_due_when_the_message_came_or_when_it_is_said() -> None:
    new = submission()
    later = NOON + timedelta(hours=1)
    assert QueueEntry.of(new).not_before == NOON
    assert QueueEntry.of(new, later).not_before == later
    assert (QueueEntry.of(new).lane, QueueEntry.of(new).size) == (WEBSITE, new.size)


def test_an_entry_takes_its_turn_by_the_author_and_without_one_by_the_reverse_path() -> None:
    assert QueueEntry.of(submission(author="news@contoso.com")).sender == "news@contoso.com"
    assert QueueEntry.of(submission()).sender == WP.key
    assert QueueEntry.of(submission(login="web")).login == "web"
    assert QueueEntry.of(submission()).login == ""
    assert str(ANNA) not in QueueEntry.of(submission()).sender


def test_octets_and_upload_addresses_are_not_shown() -> None:
    secret = "https://outlook.office.com/upload?authtoken=secret"
    shown = repr(submission(prefix=b"Subject: private\r\n")) + repr(
        DraftProgress(id="d", upload_url=secret)
    )
    assert "private" not in shown
    assert "Hello" not in shown
    assert "authtoken" not in shown


def test_without_its_upload_session_a_draft_keeps_what_it_has() -> None:
    begun = DraftProgress(
        id="d",
        attachments=3,
        attached=1,
        upload_url="https://u.example",
        upload_expires=NOON,
        upload_unreachable=2,
        uploaded=4_000,
    )
    assert begun.without_upload() == DraftProgress(id="d", attachments=3, attached=1)
