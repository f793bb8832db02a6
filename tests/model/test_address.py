"""When two addresses are the same, and which addresses a pattern matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.model import Address, same_address


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Example.org", "anna@example.ORG"),
        ('"anna"@example.org', "anna@example.org"),
        ('"a\\nna"@example.org', "anna@example.org"),
        ("jürgen@xn--bcher-kva.example", "Jürgen@bücher.example"),
        ("a@XN--BCHER-KVA.xn--fiqs8s", "a@bücher.中国"),
        ("a@xn--strae-oqa.example", "a@straße.example"),
        ("JÜRGEN@example.org", "jürgen@example.org"),
    ],
)
def test_one_person_in_two_writings(one: str, other: str) -> None:
    assert Address.parse(one).key == Address.parse(other).key
    assert same_address(one, other)
    assert Address.parse(one).matches((other,))
    assert Address.parse(other).matches((one,))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna@example.org", "anna@example.net"),
        ("anna@example.org", "anna"),
        ("xn--bcher-kva@example.org", "bücher@example.org"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kvb.example"),
        ("a@xn--.example", "a@.example"),
        ("a@xn--b-.example", "a@b.example"),
        ("a@xn--\u00fc.example", "a@ü.example"),
        ("a@straße.example", "a@strasse.example"),
        ("straße@example.org", "strasse@example.org"),
        ("\u212aate@example.org", "kate@example.org"),
        ("\u017fam@example.org", "sam@example.org"),
        ("\u0130da@example.org", "ida@example.org"),
    ],
)
def test_two_people(one: str, other: str) -> None:
    assert Address.parse(one).key != Address.parse(other).key
    assert not same_address(one, other)
    assert not Address.parse(one).matches((other,))
    assert not Address.parse(other).matches((one,))


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("*@contoso.com", "Anna@Contoso.COM"),
        ("S*@Contoso.com", "scanner@contoso.com"),
        ("scanner-?@contoso.com", "scanner-7@contoso.com"),
        ("*@*.contoso.com", "a@print.contoso.com"),
        ("*contoso.com", "a@print.contoso.com"),
        ("scan*", "scanner@contoso.com"),
        ("*", "anybody@anywhere.example"),
        ("*", "root"),
        ("r*t", "root"),
        ("*@xn--strae-oqa.example", "a@straße.example"),
        ("*@straße.example", "a@xn--strae-oqa.example"),
        ("*@*.xn--strae-oqa.example", "a@mail.straße.example"),
        ("JÜR*@example.org", "jürgen@example.org"),
        ('"a b"@contoso.com', '"A b"@contoso.com'),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
    ],
)
def test_a_pattern_names_an_address(pattern: str, address: str) -> None:
    assert Address.parse(address).matches(("nobody@nowhere.example", pattern))


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("s*@contoso.com", "boss@contoso.com"),
        ("*@contoso.com", "a@sub.contoso.com"),
        ("*@contoso.com", "a@contoso.com.evil.example"),
        ("*@contoso.com", "a@evil-contoso.com"),
        ("*@contoso.com", '"a@contoso.com"'),
        ("*@straße.example", "a@strasse.example"),
        ("*@strasse.example", "a@straße.example"),
        ("ſ*@contoso.com", "scanner@contoso.com"),
        ('"*"@contoso.com', "anna@contoso.com"),
        ("root", "root@contoso.com"),
    ],
)
def test_a_pattern_does_not_name_an_address(pattern: str, address: str) -> None:
    assert not Address.parse(address).matches((pattern,))


@given(st.text())
def test_every_text_has_a_key(text: str) -> None:
    assert Address.parse(text).key == Address.parse(text).key
    assert Address("a", f"xn--{text}").key


@given(st.text(), st.lists(st.text()))
def test_every_text_can_be_compared_with_every_pattern(text: str, patterns: list[str]) -> None:
    address = Address.parse(text)
    assert address.matches((*patterns, "*"))
    assert address.matches(patterns) == any(address.matches((one,)) for one in patterns)


@pytest.mark.parametrize(("length", "decoded"), [(63, True), (64, False)])
def test_a_label_longer_than_labels_are_stands_for_itself(length: int, decoded: bool) -> None:
    """RFC 1035 section 2.3.4; the time of decoding grows with the square of the length."""
    domain = "xn--" + "a" * (length - 4)
    assert (Address("a", domain).key != f"a@{domain}") == decoded
