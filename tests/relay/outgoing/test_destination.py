"""The header names the envelope's recipients, each once, and nobody else (promise 2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.model import Address
from graphrelay.relay.outgoing import destination
from graphrelay.sandbox import mime
from tests.relay.mail import addresses, recipients_by_python, section


def edited(head: bytes, *to: str) -> bytes:
    found = section(head)
    return found.spliced(destination.edits(found, addresses(*to)))


def test_headers_that_name_the_envelope_stay_as_they_are() -> None:
    head = b'To: "Doe, Jane"  <jane@x.example>,\r\n   b@y.example\r\nCC: c@z.example\r\n'
    assert edited(head, "c@z.example", "JANE@X.example", "b@y.example") == head


def test_bcc_fields_go_and_hidden_recipients_come_in_one_of_ours() -> None:
    head = b"Bcc: x@y, q@r\r\nTo: a@b\r\nbcc: z@z\r\n"
    assert edited(head, "a@b", "x@y", "new@n") == b"To: a@b\r\nBcc: x@y,\r\n new@n\r\n"


def test_strangers_are_cut_out_and_the_field_stays_readable() -> None:
    head = b'To: Jane <j@x>,\r\n "B, C" <b@x>, d@x\r\nSubject: s\r\n'
    assert edited(head, "b@x", "d@x") == (
        b'To: "B, C" <b@x>,\r\n d@x\r\n'
        b'X-Graphrelay-To: Jane <j@x>,\r\n "B, C" <b@x>, d@x\r\n'
        b"Subject: s\r\n"
    )


def test_a_field_that_names_nobody_of_the_envelope_goes() -> None:
    head = b"To: list@x\r\nCc: also@x\r\n"
    assert edited(head, "a@b") == (
        b"X-Graphrelay-To: list@x\r\nX-Graphrelay-Cc: also@x\r\nBcc: a@b\r\n"
    )


def test_an_empty_group_goes_without_a_trace() -> None:
    assert edited(b"To: undisclosed-recipients:;\r\n", "a@b") == b"Bcc: a@b\r\n"
    assert edited(b"To:\r\nCc: \r\n", "a@b") == b"Bcc: a@b\r\n"


def test_an_address_named_twice_is_named_once() -> None:
    head = b"To: a@b, Anna <A@B>, c@d\r\nCc: C@d, e@f\r\n"
    assert edited(head, "a@b", "c@d", "e@f", "E@F") == b"To: a@b,\r\n c@d\r\nCc: e@f\r\n"


def test_an_address_of_other_letters_is_somebody_else() -> None:
    """Case folding makes them equal: the wrong person would get it, and the right one nothing."""
    to = b"To: a@stra\xc3\x9fe.example\r\n"
    assert recipients_by_python(edited(to, "a@strasse.example")) == ["a@strasse.example"]
    both = edited(to, "a@strasse.example", "a@straße.example")
    assert recipients_by_python(both) == ["a@strasse.example", "a@straße.example"]


def test_several_to_fields_become_one() -> None:
    head = b"To: a@b\r\nSubject: s\r\nTo: c@d\r\n"
    assert edited(head, "a@b", "c@d") == b"To: a@b,\r\n c@d\r\nSubject: s\r\n"


def test_a_list_that_others_may_read_otherwise_is_written_anew() -> None:
    assert edited(b"To: Doe, Jane <j@x>; B <b@x>\r\n", "j@x", "b@x") == (
        b'To: "Doe, Jane" <j@x>,\r\n "B" <b@x>\r\nX-Graphrelay-To: Doe, Jane <j@x>; B <b@x>\r\n'
    )


def test_a_resending_is_made_harmless() -> None:
    head = b"Resent-To: a@b\r\nResent-Bcc: c@d\r\nResent-From: e@f\r\nApparently-To: g@h\r\n"
    assert edited(head, "x@y") == (
        b"X-Resent-To: a@b\r\nX-Resent-From: e@f\r\nX-Apparently-To: g@h\r\nBcc: x@y\r\n"
    )


@pytest.mark.parametrize("count", [60, 500])
def test_many_hidden_recipients_stand_on_short_lines(count: int) -> None:
    head = edited(b"Subject: s\r\n", *(f"user{n}@example.org" for n in range(count)))
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert len(recipients_by_python(head)) == count


def test_quoted_and_international_addresses_survive() -> None:
    to = ['"a b"@x.example', "a..b@x.example", "jürgen@bücher.example", "o'brien+tag@x.example"]
    head = edited('To: J <jürgen@bücher.example>, "a b"@x.example\r\n'.encode(), *to)
    assert 'To: J <jürgen@bücher.example>, "a b"@x.example\r\n'.encode() in head
    assert b'Bcc: "a..b"@x.example,\r\n o\'brien+tag@x.example\r\n' in head


def test_names_in_raw_octets_become_encoded_words() -> None:
    head = "To: Jürgen <a@b>\r\n".encode()
    assert edited(head, "a@b") == b"To: =?utf-8?B?SsO8cmdlbg==?= <a@b>\r\n"
    head = b"Content-Type: text/plain; charset=koi8-r\r\nCc: \xed\xc9\xd2 <a@b>\r\n"
    assert edited(head, "a@b").endswith(b"Cc: =?utf-8?B?0JzQuNGA?= <a@b>\r\n")  # Мир


# --- For every header and every envelope ----------------------------------------------------------

PEOPLE = [
    "a@b.example",
    "A@B.Example",
    "c@d.example",
    '"a"@b.example',
    '"x y"@q.example',
    "e.f+g@h.example",
    "jürgen@bücher.example",
    "user@[192.0.2.1]",
    "a..b@dots.example",
]
ENVELOPES = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=6)
WRITTEN = st.sampled_from(
    [
        "{}",
        "<{}>",
        "Jane Doe <{}>",
        '"Doe, Jane" <{}>',
        "Doe, Jane <{}>",
        "{} (Jane)",
        "{} (Jane, x@y.example)",
        "Team: {};",
        "Team: {}, stranger@x.example;",
        "=?utf-8?q?J=C3=A4ne=2C?= <{}>",
        "=?utf-8?q?J=C3=A4ne,?= <{}>",
        "(c) {}",
        "<@relay.example:{}>",
        "{} stranger@x.example",
        "jane@home <{}>",
        "mailto:{}",
        "<{}",
        '"{}',
        "\\{}",
        "{}@x.example",
        "root, {}",
    ]
)
MEMBERS = st.builds(lambda form, who: form.format(who), WRITTEN, st.sampled_from([*PEOPLE, "root"]))
VALUES = st.builds(
    lambda members, between: between.join(members),
    st.lists(MEMBERS, max_size=4),
    st.sampled_from([", ", ",", ",\r\n\t", "; ", " ", "\r\n ", ",, ", ";"]),
)
FIELDS = st.builds(
    lambda name, colon, value, end: f"{name}{colon}{value}{end}".encode(),
    st.sampled_from(
        ["To", "Cc", "Bcc", "TO", "cc", "bCc", "Resent-To", "Resent-Bcc", "From", "Apparently-To"]
    ),
    st.sampled_from([": ", ":", " : ", ":\r\n "]),
    VALUES,
    st.sampled_from(["\r\n", "\n", "\r", "\r\n \r\n", "\r\nbroken\r\n", "\r\n\r\n"]),
)
JUNK = st.binary(max_size=30) | st.sampled_from(
    [b"From x\r\n", b"Subject: s\r\n", b"To", b"\0\r\n", b"To: \xe9 <a@b.example>\r\n"]
)
HEADS = st.lists(FIELDS | JUNK, max_size=6).map(b"".join)


@given(HEADS, ENVELOPES)
def test_python_reads_the_envelope_and_nobody_else(head: bytes, envelope: list[str]) -> None:
    wanted = sorted({Address.parse(one).key for one in envelope})
    assert recipients_by_python(edited(head, *envelope)) == wanted


@given(HEADS, ENVELOPES)
def test_the_sandbox_reads_the_envelope_and_nobody_else(head: bytes, envelope: list[str]) -> None:
    wanted = sorted({Address.parse(one).key for one in envelope})
    read = mime.read_head(mime.fields_of(edited(head, *envelope) + b"\r\n"))
    assert sorted(Address.parse(one.address).key for one in read.recipients) == wanted


@given(HEADS, ENVELOPES)
def test_other_fields_keep_their_octets(head: bytes, envelope: list[str]) -> None:
    touched = ("to", "cc", "bcc", "resent-", "apparently-to")
    found = section(head)
    after = section(edited(head, *envelope) + b"\r\n")
    others = [
        before.octets[one.start : one.end]
        for before in (found, after)
        for one in before.find("*")
        if not one.name.startswith((*touched, "x-graphrelay-", "x-resent-", "x-apparently-"))
    ]
    half = len(others) // 2
    assert others[:half] == others[half:]
