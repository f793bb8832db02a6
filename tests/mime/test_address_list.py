"""Address lists as senders really write them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime import address_list
from graphrelay.mime.address_list import AddressList
from graphrelay.model import Address, one_line
from tests.python_reader import getaddresses

PIECES = st.lists(
    st.sampled_from(
        [
            b"a@b.example",
            b"c@d",
            b"<a@b.example>",
            b"Jane",
            b"Doe, Jane <jane@x>",
            b'"Doe, Jane"',
            b"=?utf-8?q?M=C3=BC,?=",
            b"=?utf-8?q?e=40f?=",
            b'"a b"@c',
            b"(comment)",
            b"(a@b, c@d (nested))",
            b",",
            b";",
            b":",
            b"<",
            b">",
            b"@",
            b".",
            b'"',
            b"(",
            b")",
            b"\\",
            b" ",
            b"\r\n ",
            b"\0",
            "ü@bücher.example".encode(),
            b"\xe9",
            b"[127.0.0.1]",
        ]
    )
    | st.binary(max_size=3),
    max_size=10,
).map(b"".join)


def read(text: bytes) -> list[tuple[str, str]]:
    """Display names and addresses."""
    return [
        (address_list.decoded_name(member.name), str(member.address) if member.address else "")
        for member in address_list.read(text).members
    ]


@pytest.mark.parametrize(
    ("value", "members"),
    [
        (b" a@b.example", [("", "a@b.example")]),
        (b" Jane Doe <jane@x.example>", [("Jane Doe", "jane@x.example")]),
        (b'"Doe, Jane" <j@x>,\r\n\tb@y', [("Doe, Jane", "j@x"), ("", "b@y")]),
        (b"John Q. Public <j@x>", [("John Q. Public", "j@x")]),
        (b"=?utf-8?q?M=C3=BCller=2C_H?= <h@x>", [("Müller, H", "h@x")]),
        (b'"odd \\"local\\""@x', [("", '"odd \\"local\\""@x')]),
        (b"tag+plus@x, o'brien@x", [("", "tag+plus@x"), ("", "o'brien@x")]),
        (b"<user@[192.0.2.1]>", [("", "user@[192.0.2.1]")]),
        ("J <jürgen@bücher.example>".encode(), [("J", "jürgen@bücher.example")]),
        (b'"" <a@b>', [("", "a@b")]),
    ],
)
def test_plain_lists_keep_their_octets(value: bytes, members: list[tuple[str, str]]) -> None:
    found = address_list.read(value)
    assert found.plain
    assert read(value) == members
    assert all(member.octets in value for member in found.members)


@pytest.mark.parametrize(
    ("value", "members"),
    [
        (b"", []),
        (b"undisclosed-recipients:;", []),
        (b"Team: a@b, Jane <c@d>;", [("", "a@b"), ("Jane", "c@d")]),
        (b"a@b (Jane Doe), c@d (x, e@f)", [("Jane Doe", "a@b"), ("x, e@f", "c@d")]),
        (b"root (Cron Daemon)", [("Cron Daemon", "")]),
        (b"root@host (Cron (nested) Daemon)", [("Cron (nested) Daemon", "root@host")]),
        (b"Doe, Jane <j@x>; b@y", [("Doe, Jane", "j@x"), ("", "b@y")]),
        (b"printer@x <printer@x>", [("printer@x", "printer@x")]),
        (b"a@b c@d", [("", "a@b"), ("", "c@d")]),
        (b"A <a@b> B <c@d>", [("A", "a@b"), ("B", "c@d")]),
        (b"<a@b><c@d>", [("", "a@b"), ("", "c@d")]),
        (b"Foo Bar foo@bar", [("Foo Bar", "foo@bar")]),
        (b"a @ b . c", [("", "a@b.c")]),
        (b"<@relay,@other:a@b>, c@d", [("", "a@b"), ("", "c@d")]),
        (b"<mailto:a@b>", [("", "a@b")]),
        (b",,a@b,", [("", "a@b")]),
        (b"<a@b, c@d>", [("", "a@b"), ("", "c@d")]),
        (b"Jane <jane@x", [("Jane", "jane@x")]),
        (b'"Jane <jane@x>, b@y', [("Jane <jane@x>, b@y", "")]),
        (b"=?utf-8?Q?Doe,_Jane?= <j@x>", [("Doe, Jane", "j@x")]),
        (b"=?utf-8?q?a=40b?=", [("a@b", "")]),
        (b"<>", [("", "")]),
        (b"jane.@x, a..b@y", [("", "jane.@x"), ("", "a..b@y")]),
        (b"a@b@c", [("", "")]),
    ],
)
def test_other_lists_are_read_as_well_as_can_be(
    value: bytes, members: list[tuple[str, str]]
) -> None:
    assert not address_list.read(value).plain
    assert read(value) == members


@given(PIECES)
def test_reading_never_fails_and_members_read_as_themselves(value: bytes) -> None:
    found = address_list.read(value)
    for member in found.members:
        if member.address:
            again = address_list.read(member.octets)
            assert [one.address and one.address.key for one in again.members] == [
                member.address.key
            ]


@given(PIECES)
def test_python_reads_the_same_addresses_in_a_plain_list(value: bytes) -> None:
    found = address_list.read(value)
    if found.plain:
        text = value.decode("utf-8", "surrogateescape")
        assert keys(getaddresses([text])) == [one.key for one in found.addresses]


@given(PIECES)
def test_python_reads_the_same_address_in_what_is_written_anew(value: bytes) -> None:
    for member in address_list.read(value).members:
        if member.address and member.address.key.isprintable():
            text = member.octets.decode("utf-8", "surrogateescape")
            assert keys(getaddresses([text])) == [member.address.key]


def keys(pairs: list[tuple[str, str]]) -> list[str]:
    return [Address.parse(address).key for _, address in pairs]


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)
LOCALS = st.from_regex(r"[A-Za-z0-9._+-]{1,12}", fullmatch=True) | st.text(
    st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8
)
DOMAINS = st.from_regex(r"[a-z0-9-]{1,8}(\.[a-z]{2,4}){0,2}", fullmatch=True)
ADDRESSES = st.builds(Address, LOCALS, DOMAINS)


@given(st.lists(st.tuples(NAMES, ADDRESSES), min_size=1, max_size=5))
def test_what_is_written_is_a_plain_list_of_the_same(people: list[tuple[str, Address]]) -> None:
    value = b",\r\n ".join(address_list.mailbox(name, address) for name, address in people)
    found = address_list.read(value)
    assert found.plain
    assert [one.key for one in found.addresses] == [address.key for _, address in people]
    for member, (name, _) in zip(found.members, people, strict=True):
        assert address_list.decoded_name(member.name) == one_line(name)


@pytest.mark.parametrize("name", ["👩\u200d💻 Support", "山田　太郎", "می\u200cخواهم"])
def test_joiners_and_wide_spaces_of_a_name_stay(name: str) -> None:
    value = address_list.mailbox(name, Address.parse("a@b"))
    [member] = address_list.read(value).members
    assert address_list.decoded_name(member.name) == name


def test_a_field_of_two_charsets_is_not_plain() -> None:
    """A reader that decodes all of it as Windows-1252 sees another address."""
    value = b"M\xfcller <a@b>, " + "jürgen@b".encode()
    found = address_list.read(value)
    assert not found.plain
    assert [str(one) for one in found.addresses] == ["a@b", "jürgen@b"]
    assert found.members[0].octets == b"=?utf-8?B?TcO8bGxlcg==?= <a@b>"


def test_long_names_are_cut() -> None:
    written = address_list.mailbox("x" * 5000, Address("a", "b"))
    assert len(written) < 250


def test_a_plain_list_of_nobody_is_none() -> None:
    assert address_list.read(b"  \r\n ") == AddressList((), plain=False)


HOSTILE = {
    "ats": b"@",
    "words": b"a,",
    "spaced words": b"a b ",
    "angles": b"<",
    "comments": b"(",
    "closed comments": b"()",
    "quotes": b'"\\',
    "quoted words": b'x"',
    "addresses": b"a@b ",
    "joined addresses": b"a@b,",
    "addresses and angles": b"a@b<",
    "encoded words": b"=?a?q?",
    "route": b"<@a,",
    "colons": b":",
    "dots": b"a.@",
    "spaces": b" ",
    "one long word": b"a",
    "eight bits": b"\xc3\xbc",
}


@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=HOSTILE.keys())
def test_reading_takes_linear_time(pattern: bytes) -> None:
    def cost(size: int) -> float:
        started = time.thread_time()
        address_list.read(pattern * (size // len(pattern)) + b" x@y, <z@z>")
        return time.thread_time() - started

    small = min(cost(8_000) for _ in range(3))
    large = min(cost(64_000) for _ in range(3))
    assert large < 30 * small + 0.02


@pytest.mark.parametrize("written", [b"%s", b"Jane <%s>", b"Doe, Jane <%s>", b"%s (Jane)"])
def test_what_is_longer_than_an_address_is_text(written: bytes) -> None:
    fits = b"a" * (254 - len(b"@b.example")) + b"@b.example"
    assert len(address_list.read(written % fits).addresses) == 1
    assert address_list.read(written % (b"a" + fits)).addresses == ()
