"""Which characters of a stranger's text an Exchange item can hold."""

from graphrelay.mime.text import storable


def test_characters_that_xml_cannot_hold_are_replaced_and_counted() -> None:
    assert storable("a\tb\r\n\0\x1b\ud800") == ("a\tb\r\n\ufffd\ufffd\ufffd", 3)
