"""The tokens of address lists, and where one mailbox ends."""

import pytest
from hypothesis import given

from graphrelay.mime.address_tokens import mailboxes, tokens, words
from tests.mime.test_address_list import PIECES


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        (b'a "b" <c@d>', ["atom", "space", "quoted", "space", "<", "atom", "@", "atom", ">"]),
        (b"(a (b) \\) c)d", ["comment", "atom"]),
        (b"(never closed", ["comment"]),
        (b'"never closed', ["quoted"]),
        (b"=?utf-8?q?a,b?=,=?x", ["encoded", ",", "atom"]),
        (b"", []),
    ],
)
def test_a_value_is_cut_into_tokens(value: bytes, kinds: list[str]) -> None:
    assert [kind for kind, _ in tokens(value)] == kinds


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"Doe, Jane <@a,@b:j @ x (home)>, c @ y", [([b"Doe", b"Jane"], b"j@x"), ([b"c@y"], None)]),
        (b"root, anna (the boss), bert", [([b"root", b"anna", b"bert"], None)]),
        (b"team: a@x, b@y; c@z", [([b"a@x"], None), ([b"b@y"], None), ([b"c@z"], None)]),
        (b"a@x b@y", [([b"a@x", b"b@y"], None)]),
        (b"<>", [([], b"")]),
        (b"<a@x <b@y", [([], b"a@x"), ([], b"b@y")]),
        (b"a@x, <@b", [([b"a@x"], None), ([], b"@b")]),
    ],
)
def test_mailboxes_end_where_a_reader_would_end_them(
    value: bytes, found: list[tuple[list[bytes], bytes | None]]
) -> None:
    shown = [(list(words(phrase)), spec) for phrase, spec in mailboxes(value)]
    assert [one for one in shown if one != ([], None)] == found


@given(PIECES)
def test_no_octet_is_lost_or_made_up(value: bytes) -> None:
    assert b"".join(octets for _, octets in tokens(value)) == value
    for phrase, spec in mailboxes(value):
        assert all(octets in value for _, octets in phrase)
        assert spec is None or set(spec) <= set(value)
