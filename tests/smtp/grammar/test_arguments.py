"""Paths of MAIL and RCPT: tolerant of devices, strict about everything that could do harm later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.model import Address, Reply
from graphrelay.smtp.grammar.arguments import (
    BAD_RECIPIENT,
    BAD_SENDER,
    NO_DOMAIN,
    NULL_RECIPIENT,
    TOO_LONG,
    MailFrom,
    RcptTo,
    mail_from,
    rcpt_to,
)


def sender(text: str) -> Address | None:
    read = mail_from(text)
    assert isinstance(read, MailFrom), read
    return read.path


def recipient(text: str) -> Address:
    read = rcpt_to(text)
    assert isinstance(read, RcptTo), read
    return read.path


@pytest.mark.parametrize(
    ("argument", "local", "domain"),
    [
        ("FROM:<a@b.example>", "a", "b.example"),
        ("from:<a@b.example>", "a", "b.example"),
        ("FROM: <a@b.example>", "a", "b.example"),
        ("FROM :<a@b.example>", "a", "b.example"),
        ("FROM:< a@b.example >", "a", "b.example"),
        ("FROM:a@b.example", "a", "b.example"),
        ("FROM: a@b.example SIZE=5", "a", "b.example"),
        ("FROM:<root>", "root", ""),
        ("FROM:root", "root", ""),
        ("FROM:<@relay.example,@other.example:a@b.example>", "a", "b.example"),
        ('FROM:<"a b"@c.example>', '"a b"', "c.example"),
        (r'FROM:<"a\"@b"@c.example>', r'"a\"@b"', "c.example"),
        ("FROM:<first.last+tag@b.example>", "first.last+tag", "b.example"),
        ("FROM:<.odd..dots.@b.example>", ".odd..dots.", "b.example"),
        ("FROM:<a@[192.0.2.1]>", "a", "[192.0.2.1]"),
        ("FROM:<a@[IPv6:2001:db8::1]>", "a", "[IPv6:2001:db8::1]"),
        ("FROM:<grüße@bücher.example> SMTPUTF8", "grüße", "bücher.example"),
        ("FROM:<cron@my_host>", "cron", "my_host"),
    ],
)
def test_a_path_that_senders_write_is_read(argument: str, local: str, domain: str) -> None:
    assert sender(argument) == Address(local, domain)


def test_empty_brackets_are_the_null_sender() -> None:
    assert sender("FROM:<>") is None
    assert sender("FROM: < > BODY=8BITMIME") is None


@pytest.mark.parametrize(
    "path",
    [
        "<a@b@c.example>",
        "<a b@c.example>",
        "<a@b.example",
        "a@b.example>",
        "<a@>",
        "<@b.example>",
        "<a@b..example>",
        "<a@-b.example>",
        "<a@.example>",
        "<a@[999.0.0.1]>",
        "<a@[IPv6:zz]>",
        "<a@b.example/../victim>",
        "<a(comment)@b.example>",
        "<a,b@c.example>",
        "Name <a@b.example>",
        "<a\tb@c.example>",
        "<a\u2028b@c.example>",
        "<a\u0085b@c.example>",
        "<a\u202eb@c.example>",
        "<a\x00b@c.example>",
        '<"a\rb"@c.example>',
        "<a\x7f@c.example>",
        f"<{'a' * 250}@c.example>",
        f"<a@{'b' * 64}.example>",
        f"<{'ü' * 130}@c.example>",
    ],
    ids=ascii,
)
def test_what_is_no_address_is_refused_with_its_own_code(path: str) -> None:
    assert mail_from(f"FROM:{path}") == BAD_SENDER
    assert rcpt_to(f"TO:{path}") == BAD_RECIPIENT


def test_a_recipient_without_a_domain_is_refused_even_postmaster() -> None:
    assert rcpt_to("TO:<root>") == NO_DOMAIN
    assert rcpt_to("TO:<Postmaster>") == NO_DOMAIN


def test_the_null_address_receives_nothing() -> None:
    assert rcpt_to("TO:<>") == NULL_RECIPIENT


@pytest.mark.parametrize("argument", ["", "FROM", "FROM:", "FROM: ", "a@b.example", "TO:<a@b.c>"])
def test_mail_without_from_shows_the_syntax(argument: str) -> None:
    refusal = mail_from(argument)
    assert isinstance(refusal, Reply)
    assert str(refusal) == "501 5.5.4 Syntax: MAIL FROM:<address>"


def test_size_and_body_are_read_whatever_their_case() -> None:
    assert mail_from("FROM:<a@b.example> size=1000 Body=8bitmime") == MailFrom(
        Address("a", "b.example"), 1000
    )


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ("SIZE=abc", 501),
        ("SIZE", 501),
        ("SIZE=", 501),
        ("SIZE=-1", 501),
        ("SIZE=٣", 501),
        (f"SIZE={'9' * 5000}", 501),
        ("SIZE=1 SIZE=2", 501),
        ("BODY=9BIT", 501),
        ("=x", 501),
        ("REQUIRETLS", 555),
        ("X=1", 555),
    ],
)
def test_a_parameter_that_cannot_be_met_is_refused(parameters: str, code: int) -> None:
    refusal = mail_from(f"FROM:<a@b.example> {parameters}")
    assert isinstance(refusal, Reply)
    assert refusal.code == code
    assert refusal.status == "5.5.4"


def test_something_stuck_to_the_bracket_is_refused() -> None:
    assert isinstance(mail_from("FROM:<a@b.example>SIZE=1"), Reply)


def test_delivery_notice_parameters_are_taken() -> None:
    assert sender("FROM:<a@b.example> RET=HDRS ENVID=QQ314159 AUTH=<>") == Address("a", "b.example")
    argument = "TO:<a@b.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a@b.example"
    assert recipient(argument) == Address("a", "b.example")


@given(st.text(max_size=80))
def test_whatever_is_written_an_address_that_comes_out_is_one_printable_word(text: str) -> None:
    for argument in (f"TO:<{text}>", f"TO:{text}", f"TO:<{text}@b.example>", f"TO:<a@{text}>"):
        read = rcpt_to(argument)
        if isinstance(read, RcptTo):
            address = str(read.path)
            assert address.isprintable()
            assert len(address.splitlines()) == 1
            assert len(address.encode()) <= 254
            assert "<" not in read.path.domain
            assert ">" not in read.path.domain


@pytest.mark.parametrize("code", ["+0D+0A", "+00", "+7F", "+1B[31m"])
def test_what_a_report_repeats_holds_no_line_break_or_control(code: str) -> None:
    asked = mail_from(f"FROM:<a@b.example> ENVID=a{code}b")
    assert isinstance(asked, MailFrom)
    assert asked.envelope_id == ""
    recipient = rcpt_to(f"TO:<a@b.example> ORCPT=rfc822;a{code}b")
    assert isinstance(recipient, RcptTo)
    assert recipient.dsn is None


@pytest.mark.parametrize("argument", ["<" + " " * 12_000, "<a@b.example> X=" + "y" * 2_000])
def test_an_argument_longer_than_any_client_writes_is_refused(argument: str) -> None:
    assert mail_from(f"FROM:{argument}") == TOO_LONG
    assert rcpt_to(f"TO:{argument}") == TOO_LONG
