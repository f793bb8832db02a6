"""Who may send as whom: one answer, wherever an address comes from."""

import pytest

from graphrelay.model import Address
from graphrelay.relay.policy.sender import SenderPolicy, shown

POLICY = SenderPolicy(
    {
        "scanner": ("s*@contoso.com", "*@print.example"),
        "street": ("*@straße.example", "straße@contoso.com"),
        "free": (),
    }
)


def may(login: str | None, *addresses: str, where: str = "From") -> bool:
    claimed = {where: tuple(map(Address.parse, addresses))}
    return POLICY.refusal(login, claimed) is None


@pytest.mark.parametrize("where", ["MAIL FROM", "From", "Sender"])
def test_a_pattern_means_the_same_wherever_the_address_is_written(where: str) -> None:
    assert may("scanner", "Scanner@CONTOSO.com", "any@print.example", where=where)
    assert not may("scanner", "boss@contoso.com", where=where)
    assert not may("scanner", "scanner@contoso.com", "boss@contoso.com", where=where)
    assert not may("scanner", "any@evil.print.example", where=where)


def test_two_people_whose_names_fold_to_the_same_are_two_people() -> None:
    assert may("street", "a@straße.example", "a@xn--strae-oqa.example", "Straße@contoso.com")
    assert not may("street", "a@strasse.example")
    assert not may("street", "strasse@contoso.com")


def test_a_login_without_a_list_and_a_client_without_a_login_are_not_limited() -> None:
    assert may("free", "anybody@anywhere.example")
    assert may(None, "anybody@anywhere.example")
    assert POLICY.refusal_of_nobody("free") is None
    assert POLICY.refusal_of_nobody(None) is None


def test_a_login_that_does_not_exist_sends_nothing() -> None:
    refusal = POLICY.refusal("gone", {})
    assert refusal is not None
    assert str(refusal) == "550 5.7.1 There is no login 'gone' any more"


def test_the_refusal_says_what_may_not_be_sent_as_where_it_stood_and_what_may() -> None:
    refusal = POLICY.refusal("scanner", {"Sender": (Address.parse("boss@contoso.com"),)})
    assert str(refusal) == (
        "550 5.7.1 Login 'scanner' may not send as <boss@contoso.com> (Sender);"
        " it may send as s*@contoso.com, *@print.example"
    )


def test_a_limited_login_must_name_somebody() -> None:
    refusal = POLICY.refusal_of_nobody("scanner")
    assert refusal is not None
    assert refusal.code == 550


def test_what_is_shown_of_an_address_stays_on_its_line() -> None:
    assert shown(Address("a\r\n250 ok\udcff" + "x" * 500, "b"))[:17] == "<a 250 ok xxxxxxx"
    assert len(shown(Address("x" * 500, "b"))) == 102
    assert shown(None) == "<>"
