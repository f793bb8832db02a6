"""AUTH PLAIN and AUTH LOGIN: what is read, what is asked for, and what is refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.model import Reply
from graphrelay.smtp.grammar import sasl
from graphrelay.smtp.grammar.sasl import Ask, Credentials, credentials


def answering(*lines: bytes) -> tuple[Ask, list[bytes]]:
    """A client that answers the challenges with these lines, and the challenges it gets."""
    left, challenges = list(lines), list[bytes]()

    async def ask(challenge: bytes) -> bytes:
        challenges.append(challenge)
        return left.pop(0)

    return ask, challenges


def plain(name: str, password: str, identity: str = "") -> str:
    return base64.b64encode(f"{identity}\0{name}\0{password}".encode()).decode()


async def test_plain_comes_at_once_or_is_asked_for() -> None:
    expected = Credentials("scanner", "geheim ü")
    line = plain("scanner", "geheim ü")
    assert await credentials(f"PLAIN {line}", answering()[0]) == expected
    ask, challenges = answering(line.encode())
    assert await credentials("plain", ask) == expected
    assert challenges == [b""]


async def test_login_asks_with_the_words_that_copiers_expect() -> None:
    ask, challenges = answering(b"c2Nhbm5lcg==", b"c2VjcmV0")
    assert await credentials("LOGIN", ask) == Credentials("scanner", "secret")
    assert challenges == [b"VXNlcm5hbWU6", b"UGFzc3dvcmQ6"]
    ask, challenges = answering(b"c2VjcmV0")
    assert await credentials("login c2Nhbm5lcg==", ask) == Credentials("scanner", "secret")
    assert challenges == [b"UGFzc3dvcmQ6"]


async def test_octets_that_are_not_utf8_are_read_as_latin_1() -> None:
    ask, _ = answering(base64.b64encode(b"J\xfcrgen"), base64.b64encode(b"\xe4"))
    assert await credentials("LOGIN", ask) == Credentials("Jürgen", "ä")


@pytest.mark.parametrize(
    ("argument", "lines", "refusal"),
    [
        ("CRAM-MD5", [], sasl.UNKNOWN_MECHANISM),
        ("", [], sasl.UNKNOWN_MECHANISM),
        ("PLAIN", [b"*"], sasl.CANCELLED),
        ("LOGIN", [b"c2Nhbm5lcg==", b"*"], sasl.CANCELLED),
        ("LOGIN", [b"not base64"], sasl.NOT_BASE64),
        ("LOGIN", [b"c2Nhbm5lcg==", b"!"], sasl.NOT_BASE64),
        ("PLAIN c2Nhbm5lcg==", [], sasl.NOT_PLAIN),
        ("PLAIN =", [], sasl.NOT_PLAIN),
        ("PLAIN AABz", [], sasl.NOT_PLAIN),
        ("PLAIN " + plain("scanner", "secret", "boss"), [], sasl.OTHER_IDENTITY),
    ],
)
async def test_what_is_wrong_is_refused(argument: str, lines: list[bytes], refusal: Reply) -> None:
    assert await credentials(argument, answering(*lines)[0]) == refusal


async def test_an_identity_may_be_given_where_it_is_the_name() -> None:
    line = plain("scanner", "secret", "scanner")
    assert await credentials(f"PLAIN {line}", answering()[0]) == Credentials("scanner", "secret")


def test_a_password_is_in_no_repr() -> None:
    assert "secret" not in repr(Credentials("scanner", "secret"))


@given(st.text(), st.binary(), st.binary())
async def test_no_octets_break_the_reader(argument: str, first: bytes, second: bytes) -> None:
    for mechanism in ("PLAIN", "LOGIN"):
        found = await credentials(f"{mechanism} {argument}", answering(first, second)[0])
        assert isinstance(found, Credentials | Reply)
