"""Octets beyond ASCII without a declared charset."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime import encoded_word, parameters
from graphrelay.relay.outgoing import charset
from tests.relay.mail import section


def subject(head: bytes, prefix: str = "") -> bytes:
    found = section(head)
    return found.spliced(charset.subject_edits(found, prefix))


def test_a_subject_in_ascii_keeps_its_octets() -> None:
    head = b"SUBJECT:   folded\r\n  and =?utf-8?q?M=C3=BC?=\r\n"
    assert subject(head) == head


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("Grüße".encode(), "Grüße"),
        ("Grüße – €".encode("cp1252"), "Grüße – €"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?= aus Köln".encode(), "Grüße aus Köln"),
        ("folded\r\n Grüße".encode(), "folded Grüße"),
        ("👩\u200d💻 山田　太郎  می\u200cخواهم".encode(), "👩\u200d💻 山田　太郎  می\u200cخواهم"),
    ],
)
def test_a_subject_in_raw_octets_becomes_encoded_words(octets: bytes, text: str) -> None:
    head = subject(b"Subject: " + octets + b"\r\n")
    assert head.isascii()
    assert encoded_word.decode(head.removeprefix(b"Subject: ")).split() == text.split()


def test_the_charset_of_the_body_is_that_of_the_subject() -> None:
    for field in (b"text/plain; charset=koi8-r", b'text/html;\r\n CharSet="KOI8-R"; x=y'):
        head = subject(b"Subject: \xed\xc9\xd2\r\nContent-Type: " + field + b"\r\n")
        assert b"=?utf-8?B?0JzQuNGA?=" in head  # Мир


def test_the_charset_is_looked_for_once_however_many_fields_need_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads, read = list[bytes](), parameters.read

    def counted(octets: bytes) -> Any:
        reads.append(octets)
        return read(octets)

    monkeypatch.setattr(parameters, "read", counted)
    found = section(b"Content-Type: text/plain; charset=latin-1\r\n" + b"To: \xfc <a@b>\r\n" * 50)
    assert {charset.charset(found, found.value(to)) for to in found.find("to")} == {"latin-1"}
    assert len(reads) == 1


def test_a_prefix_stands_before_the_subject_once() -> None:
    assert subject(b"Subject: hi\r\n there\r\n", "[test]") == b"Subject: [test] hi\r\n there\r\n"
    assert subject(b"Subject: Re: [test] hi\r\n", "[test]") == b"Subject: Re: [test] hi\r\n"
    assert subject(b"To: a@b\r\n", "[test]") == b"To: a@b\r\nSubject: [test]\r\n"
    assert encoded_word.decode(subject(b"Subject: hi\r\n", "[prüfen]")) == (
        "Subject: [prüfen] hi\r\n"
    )


def test_an_endless_subject_is_cut_only_where_it_must_be_written_anew() -> None:
    assert len(subject(b"Subject: " + b"x" * 50_000 + b"\r\n")) > 50_000
    assert len(subject(b"Subject: \xe9" + b"x" * 50_000 + b"\r\n")) < 10_000


@given(st.binary(max_size=40))
def test_a_subject_is_one_field_whatever_it_says(octets: bytes) -> None:
    head = subject(b"Subject: " + octets.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n")
    assert [one.name for one in section(head).find("*")] == ["subject"]


def test_a_character_cut_in_two_at_the_end_of_what_was_read_is_still_utf8() -> None:
    assert b"utf-8" in charset.missing_fields(section(b"Subject: x\r\n"), "ü".encode()[:1])
