"""The sender that recipients see."""

from dataclasses import replace
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime import address_list
from graphrelay.model import Address
from graphrelay.relay.outgoing import originator
from tests.python_reader import getaddresses
from tests.relay.mail import addresses, plan, section
from tests.relay.outgoing.test_destination import HEADS, VALUES


def edited(head: bytes, from_address: str | None = None) -> bytes:
    found = section(head)
    return found.spliced(originator.edits(found, plan(from_address)))


def test_a_from_that_may_stay_keeps_its_octets() -> None:
    head = b'FROM:  "Doe, Jane"\r\n <jane@contoso.com>\r\nReply-To: x@y\r\n'
    assert edited(head) == head
    assert edited(head, "jane@contoso.com") == head


def test_another_address_goes_into_from_and_the_old_one_to_reply_to() -> None:
    assert edited(b"From: Shop <shop@site.example>\r\n", "info@contoso.com") == (
        b"From: Shop <info@contoso.com>\r\n"
        b"X-Graphrelay-From: Shop <shop@site.example>\r\n"
        b"Reply-To: Shop <shop@site.example>\r\n"
    )


@pytest.mark.parametrize(
    "name",
    [
        b"=?gb2312?B?086yzZjl?=",
        b'"Doe,\r\n Jane"',
        b"=?unheard-of?Q?=FF?=\r\n =?x?B?gA==?=",
        b"J. D.",
    ],
)
def test_the_name_of_another_address_keeps_its_octets(name: bytes) -> None:
    head = edited(b"From: " + name + b" <user@old.example>\r\n", "info@contoso.com")
    assert head.startswith(b"From: " + name + b" <info@contoso.com>\r\n")


def test_a_reply_to_that_was_there_stays() -> None:
    head = b"Reply-To: desk@site.example\r\nFrom: shop@site.example\r\n"
    assert edited(head, "info@contoso.com") == (
        b"Reply-To: desk@site.example\r\n"
        b"From: info@contoso.com\r\n"
        b"X-Graphrelay-From: shop@site.example\r\n"
    )


def test_raw_octets_in_reply_to_become_encoded_words() -> None:
    for name, octets in (("Müller, Jürgen", "utf-8"), ("Müller", "latin-1")):
        edit = edited(f"Reply-To: {name} <s@contoso.test>\r\n".encode(octets))
        assert edit.isascii()
        (line,) = (line for line in edit.splitlines() if line.startswith(b"Reply-To:"))
        assert address_list.decoded_name(line[10:].partition(b" <")[0]) == name
        assert line.endswith(b" <s@contoso.test>")


def test_of_several_reply_to_fields_the_first_that_says_something_stays() -> None:
    author = b"From: info@contoso.com\r\n"
    head = author + b"Reply-To: \r\nReply-To: a@x.example\r\nreply-to: b@x.example\r\n"
    assert edited(head) == (
        author + b"Reply-To: a@x.example\r\nX-Graphrelay-reply-to: b@x.example\r\n"
    )


def test_an_empty_reply_to_is_none() -> None:
    edit = edited(b"Reply-To: \r\nFrom: shop@site.example\r\n", "info@contoso.com")
    assert b"Reply-To: shop@site.example\r\n" in edit


def test_a_bare_name_cannot_be_replied_to() -> None:
    assert edited(b"From: root (Cron Daemon)\r\n", "info@contoso.com") == (
        b'From: "Cron Daemon" <info@contoso.com>\r\nX-Graphrelay-From: root (Cron Daemon)\r\n'
    )


def test_a_missing_from_is_the_mailbox() -> None:
    assert edited(b"Subject: s\r\n") == b"Subject: s\r\nFrom: info@contoso.com\r\n"
    assert edited(b"Subject: s\r\n", "x@y.example") == b"Subject: s\r\nFrom: x@y.example\r\n"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (b"printer@contoso.com <p@contoso.com>", "printer at contoso.com"),
        (b'"Printer @ Office" <p@contoso.com>', "Printer at Office"),
        (b"=?utf-8?q?B=C3=BCro=40home?= <p@contoso.com>", "Büro at home"),
        (b"=?utf-8?B?cHJpbnRlckBob21l?= <p@contoso.com>", "printer at home"),
        (b"p@contoso.com (root@host)", "root at host"),
        (b"B\xfcro@home <p@contoso.com>", "Büro at home"),
    ],
)
def test_an_at_sign_is_taken_out_of_the_display_name(written: bytes, name: str) -> None:
    head = edited(b"From: " + written + b"\r\n")
    assert shown(head) == [(name, "p@contoso.com")]


def test_of_several_authors_the_first_one_sends_and_all_get_the_replies() -> None:
    head = b"From: A <a@contoso.com>, B <b@contoso.com>\r\nFrom: c@contoso.com\r\n"
    assert edited(head) == (
        b"From: A <a@contoso.com>\r\n"
        b"X-Graphrelay-From: A <a@contoso.com>, B <b@contoso.com>\r\n"
        b"X-Graphrelay-From: c@contoso.com\r\n"
        b"Reply-To: A <a@contoso.com>,\r\n B <b@contoso.com>,\r\n c@contoso.com\r\n"
    )


def test_several_authors_all_get_the_replies_when_another_address_sends() -> None:
    head = edited(b"From: A <a@x.example>, B <b@x.example>\r\n", "info@contoso.com")
    assert b"Reply-To: A <a@x.example>,\r\n B <b@x.example>\r\n" in head


def test_sender_is_left_to_exchange_and_stays_readable() -> None:
    head = edited(b"Sender: boss@x.example\r\nFrom: a@contoso.com\r\n")
    assert head == b"X-Graphrelay-Sender: boss@x.example\r\nFrom: a@contoso.com\r\n"


def test_the_route_may_say_where_replies_go() -> None:
    found = section(b"Reply-To: a@b\r\nFrom: wp@contoso.com\r\n")
    edits = originator.edits(found, replace(plan(), reply_to="desk@contoso.com"))
    assert found.spliced(edits) == (
        b"X-Graphrelay-Reply-To: a@b\r\nFrom: wp@contoso.com\r\nReply-To: desk@contoso.com\r\n"
    )


def test_names_in_raw_octets_become_encoded_words() -> None:
    head = edited("From: Jürgen <a@contoso.com>\r\nReply-To: Büro <b@x>, c@x\r\n".encode())
    assert head == (
        b"From: =?utf-8?B?SsO8cmdlbg==?= <a@contoso.com>\r\n"
        b"Reply-To: =?utf-8?B?QsO8cm8=?= <b@x>,\r\n c@x\r\n"
    )


def test_a_from_that_nobody_can_read_is_the_mailbox() -> None:
    assert shown(edited(b"From: <<<@@>,;\r\n")) == [("", "info@contoso.com")]
    assert shown(edited(b"From: The Printer\r\n")) == [("The Printer", "info@contoso.com")]


def test_authors_are_all_addresses_of_all_from_fields() -> None:
    found = section(b"From: a@b, C <c@d>\r\nSender: s@t\r\nfrom: e@f\r\n")
    assert originator.authors(found, "from") == addresses("a@b", "c@d", "e@f")
    assert originator.authors(found, "sender") == addresses("s@t")


FROMS = st.lists(VALUES.map(lambda value: b"From: " + value.encode() + b"\r\n"), max_size=2)


@given(FROMS.map(b"".join), HEADS, st.sampled_from([None, "info@contoso.com"]))
def test_exactly_one_author_remains_and_it_is_one_that_was_decided_on(
    froms: bytes, head: bytes, from_address: str | None
) -> None:
    found = section(froms + head)
    people = shown(found.spliced(originator.edits(found, plan(from_address))))
    assert len(people) == 1
    assert all("@" not in name for name, _ in people)
    authors = originator.authors(found, "from")
    wanted = from_address or (authors[0].key if authors else "info@contoso.com")
    assert Address.parse(people[0][1]).key == wanted


def shown(head: bytes) -> list[tuple[str, str]]:
    """Names and addresses in From, as Python's email package reads them."""
    fields = [
        value.encode("ascii", "surrogateescape").decode("utf-8", "surrogateescape")
        for name, value in BytesHeaderParser().parsebytes(head + b"\r\n").raw_items()
        if name.lower() == "from"
    ]
    pairs = getaddresses([field.replace("\r\n", "") for field in fields])
    return [(str(make_header(decode_header(name))), address) for name, address in pairs]
