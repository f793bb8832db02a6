"""Drop files as graphrelay-sendmail writes them, and everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.drop import drop_file
from graphrelay.drop.drop_file import DropFile, NotADropFile
from graphrelay.model import Address, Envelope, Reply
from graphrelay.sendmail import drop
from graphrelay.sendmail.envelope import Envelope as Written

HEAD = b"graphrelay drop 1\r\n"
MAIL = b"MAIL FROM:<wp@contoso.com>\r\n"
RCPT = b"RCPT TO:<a@example.org>\r\n"
LOCAL = st.text("abcxyz0189.+-_ü", min_size=1, max_size=20)
ADDRESS = st.builds("{}@example.org".format, LOCAL)


def read(octets: bytes) -> DropFile | Reply | NotADropFile:
    return drop_file.read(octets[: drop_file.LONGEST_ENVELOPE], len(octets))


@given(
    st.one_of(st.just(""), ADDRESS),
    st.lists(ADDRESS, min_size=1, max_size=5),
    st.binary(max_size=100),
    st.sampled_from(["", "FULL", "HDRS"]),
    st.sampled_from(["", "NEVER", "DELAY,FAILURE"]),
    st.text(max_size=10),
)
def test_what_sendmail_writes_is_read(
    sender: str, recipients: list[str], body: bytes, returned: str, notify: str, job: str
) -> None:
    envelope = Written(sender, recipients)
    envelope.returned, envelope.notify, envelope.envelope_id = returned, notify, job
    octets = drop.commands(envelope, len(body)) + body
    found = read(octets)
    assert isinstance(found, DropFile)
    people = {address.casefold(): Address.parse(address) for address in reversed(recipients)}
    assert found.envelope.reverse_path == (Address.parse(sender) if sender else None)
    assert {path.key for path in found.envelope.forward_paths} == people.keys()
    assert octets[found.start : found.start + found.size] == body
    assert found.envelope.ret == returned
    wishes = tuple(sorted(notify.split(","))) if notify else ()
    assert all(tuple(sorted(one.notify)) == wishes for one in found.envelope.dsn_requests)
    assert len(found.envelope.dsn_requests) == (len(people) if notify else 0)
    assert not job.isascii() or not job.isprintable() or found.envelope.envelope_id == job


def test_as_many_as_sendmail_puts_into_one_file_are_read() -> None:
    people = [f"{number}{'x' * 50}@{'y' * 60}.{'z' * 60}.example" for number in range(500)]
    found = read(drop.commands(Written("a@b", people), 0))
    assert isinstance(found, DropFile)
    assert len(found.envelope.forward_paths) == drop.MOST_RECIPIENTS == 500


def test_a_recipient_that_is_named_twice_receives_once() -> None:
    found = read(HEAD + MAIL + RCPT + b"RCPT TO:<A@Example.org>\r\nBDAT 0 LAST\r\n")
    assert isinstance(found, DropFile)
    assert found.envelope == Envelope(Address("wp", "contoso.com"), (Address("a", "example.org"),))


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "does not begin"),
        (b"root:x:0:0:root:/root:/bin/bash\n", "does not begin"),
        (HEAD, "no end"),
        (HEAD + MAIL[:-2], "no end"),
        (HEAD + MAIL + RCPT, "no end"),
        (HEAD + RCPT, "'RCPT' is out of order"),
        (HEAD + MAIL + b"BDAT 0 LAST\r\n", "'BDAT' is out of order"),
        (HEAD + MAIL + MAIL, "'MAIL' is out of order"),
        (HEAD + MAIL + RCPT + b"DATA\r\n", "'DATA' is out of order"),
        (HEAD + MAIL + RCPT + b"BDAT 4\r\nabcd", "how long"),
        (HEAD + MAIL + RCPT + b"BDAT x LAST\r\nabcd", "how long"),
        (HEAD + MAIL + RCPT + b"BDAT 5 LAST\r\nabcd", "5 octets, and 4 are there"),
        (HEAD + MAIL + RCPT + b"BDAT 3 LAST\r\nabcd", "3 octets, and 4 are there"),
        (HEAD + MAIL + b"RCPT TO:<a@\xe9>\r\n", "is out of order"),
        (HEAD + MAIL + b"RCPT TO:<a@b>\n\r\n", "is out of order"),
        (HEAD + MAIL + b"\0RCPT TO:<a@b>\r\n", "is out of order"),
        (HEAD + b"MAIL FROM:<" + b"x" * 3000 + b">\r\n", "no end"),
        (HEAD + MAIL + b"".join(b"RCPT TO:<%d@b>\r\n" % n for n in range(1001)), "recipients"),
    ],
)
def test_anything_else_is_not_a_drop_file(octets: bytes, why: str) -> None:
    found = read(octets)
    assert isinstance(found, NotADropFile)
    assert why in found.why


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (HEAD + b"MAIL FROM:<a b@c>\r\n", 553),
        (HEAD + b"MAIL FROM:<a@b> X=1\r\n", 555),
        (HEAD + MAIL + b"RCPT TO:<root>\r\n", 550),
        (HEAD + MAIL + b"RCPT TO:<>\r\n", 553),
        (HEAD + MAIL + b"RCPT TO:<a@b>x\r\n", 501),
    ],
)
def test_what_smtp_would_refuse_is_refused_in_its_words(octets: bytes, code: int) -> None:
    found = read(octets)
    assert isinstance(found, Reply)
    assert found.code == code


@given(st.lists(st.sampled_from([HEAD, MAIL, RCPT, b"BDAT 3 LAST\r\n"]) | st.binary(max_size=9)))
def test_no_octets_break_the_reader(pieces: list[bytes]) -> None:
    octets = b"".join(pieces)
    found = read(octets)
    if isinstance(found, DropFile):
        assert found.start + found.size == len(octets)
