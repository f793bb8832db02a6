"""Recipients in headers, read as the relay reads them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime import address_list
from graphrelay.sendmail import header
from graphrelay.sendmail.stop import Stop
from tests.mime.test_address_list import PIECES


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b" anna@example.org\n", ["anna@example.org"]),
        (b' "Doe, Jane" <j@x.example>, b@y.example\r\n', ["j@x.example", "b@y.example"]),
        (b" Doe, Jane <j@x.example>", ["j@x.example"]),
        (b" root", ["root"]),
        (b" root, anna (the boss), bert", ["root", "anna", "bert"]),
        (b" undisclosed-recipients:;", []),
        (b" team: a@x, b@y; c@z", ["a@x", "b@y", "c@z"]),
        (b" <@relay.example,@b:a@x>", ["a@x"]),
        (b" a@x b@y; c@z", ["a@x", "b@y", "c@z"]),
        (b" a @ x . example", ["a@x.example"]),
        (b" (a@b (c@d)) e@f", ["e@f"]),
        (b" =?utf-8?q?a=40b,?= <c@d>", ["c@d"]),
        (" Jürgen <jürgen@bücher.example>".encode(), ["jürgen@bücher.example"]),
        (b" J\xfcrgen <j@x>", ["j@x"]),
        (b' "a b"@x', ['"a b"@x']),
        (b"\n", []),
        (b" a@x,,\n\tb@y,", ["a@x", "b@y"]),
    ],
)
def test_addresses_are_found(value: bytes, found: list[str]) -> None:
    assert header.addresses(value) == found


def test_an_address_that_nobody_can_read_stops_the_message() -> None:
    with pytest.raises(Stop, match="not a mail address"):
        header.addresses(b"j\xfcrgen@x")


@given(PIECES)
def test_nobody_becomes_a_recipient_whom_the_relay_would_not_see_there(value: bytes) -> None:
    try:
        found = {address for address in header.addresses(value) if "@" in address}
    except Stop:
        return
    seen = [str(member.address) for member in address_list.read(value).members if member.address]
    assert set(seen) <= found


@given(st.binary(max_size=200))
def test_reading_ends(value: bytes) -> None:
    with suppress(Stop):
        header.recipients(b"To:" + value)


def test_to_cc_and_bcc_are_read_with_their_folded_lines() -> None:
    head = b"From: x@y\nTo: a@b,\n c@d\nSubject: To: no@one\nCC : e@f\nbcc: g@h\n\nTo: i@j\n"
    assert header.recipients(head) == ["a@b", "c@d", "e@f", "g@h"]


def test_who_resends_names_whom() -> None:
    assert header.recipients(b"To: a@b\nResent-To: c@d\nResent-Bcc: e@f\n\n") == ["c@d", "e@f"]


@pytest.mark.parametrize(
    "head",
    [b"Hello,\nTo: a@b\n", b"\nTo: a@b\n", b"Subject: x\nno field\nTo: a@b\n\n", b""],
)
def test_text_makes_nobody_a_recipient(head: bytes) -> None:
    assert header.recipients(head) == []


def test_whether_there_is_a_field() -> None:
    assert header.has(b"from : a@b\r\n\r\n", "from")
    assert not header.has(b"Subject: x\n\nFrom: a@b\n", "from")
