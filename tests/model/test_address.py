"""When two addresses are the same person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.model import Address


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


@given(st.text())
def test_every_text_has_a_key(text: str) -> None:
    assert Address.parse(text).key == Address.parse(text).key
    assert Address("a", f"xn--{text}").key
