"""The envelope in SMTP's words."""

import os

import pytest

from graphrelay.sendmail.envelope import Envelope, safe, xtext
from graphrelay.sendmail.stop import Stop

ALL = frozenset({"8BITMIME", "SMTPUTF8", "DSN"})


def test_only_what_the_other_side_offers_is_asked_for() -> None:
    envelope = Envelope("jürgen@x", ["a@b"])
    envelope.returned, envelope.envelope_id, envelope.notify = "HDRS", "job 7+", "FAILURE"
    assert envelope.mail(frozenset(), eight_bit=True) == "MAIL FROM:<jürgen@x>"
    assert envelope.rcpt("a@b", frozenset()) == "RCPT TO:<a@b>"
    assert (
        envelope.mail(ALL, eight_bit=True)
        == "MAIL FROM:<jürgen@x> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=job+207+2B"
    )
    assert envelope.rcpt("a@b", ALL) == "RCPT TO:<a@b> NOTIFY=FAILURE"


def test_the_null_sender_is_written_as_such() -> None:
    assert Envelope("", ["a@b"]).mail(ALL, eight_bit=False) == "MAIL FROM:<>"


def test_an_envelope_for_others_asks_for_the_same() -> None:
    envelope = Envelope("x@y", ["a@b", "c@d"])
    envelope.returned, envelope.notify = "FULL", "NEVER"
    other = envelope.to(["c@d"])
    assert (other.sender, other.recipients) == ("x@y", ["c@d"])
    assert (other.returned, other.notify) == ("FULL", "NEVER")


@pytest.mark.parametrize(
    "address", ["a@b\r\nRCPT TO:<c@d>", "a@b>\t<c@d", "a\0@b", "a@b\x85", "a@\udcfc"]
)
def test_nothing_breaks_out_of_a_command(address: str) -> None:
    with pytest.raises(Stop, match="not a mail address") as stop:
        safe(address)
    assert stop.value.status == os.EX_DATAERR
    assert str(stop.value).isascii()
    assert str(stop.value).isprintable()


def test_an_option_is_no_recipient() -> None:
    with pytest.raises(Stop, match="options come before") as stop:
        safe("-fx@y")
    assert stop.value.status == os.EX_USAGE


def test_xtext_is_ascii() -> None:
    assert xtext("a=b ü") == "a+3Db+20+C3+BC"
