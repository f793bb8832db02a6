"""Labels mean what the encoding standard says, and the text of Windows programs is decoded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webencodings.labels import LABELS

from graphrelay.mime import charsets


@pytest.mark.parametrize(
    ("text", "codec", "label"),
    [
        ("游采樺 朱镕基", "gbk", "gb2312"),
        ("餐飲業 €", "gb18030", "GBK"),
        ("障害①㈱", "cp932", "shift_jis"),
        ("障害", "euc_jp", "euc-jp"),
        ("障害ｶﾅ", "iso2022_jp_ext", "iso-2022-jp"),
        ("똠방각하", "cp949", "ks_c_5601-1987"),
        ("中文 嘅", "big5hkscs", "big5"),
        ("Bob’s €", "cp1252", "iso-8859-1"),
        ("ไทย€", "cp874", "tis-620"),
        ("שלום", "iso8859_8", "iso-8859-8-i"),
        ("Привет", "koi8-u", "koi8-ru"),
        ("ğ€", "cp1254", "iso-8859-9"),
        ("a€", "utf-16-le", "utf-16"),
        ("a€", "utf-16-be", "utf-16be"),
        ("Größe", "cp850", "cp850"),
        ("中文", "hz", "hz-gb-2312"),
        ("한글", "iso2022_kr", "iso-2022-kr"),
        ("Grüße", "utf-7", "utf-7"),
    ],
)
def test_a_label_reads_what_programs_write_under_it(text: str, codec: str, label: str) -> None:
    assert charsets.decode(text.encode(codec), label) == text


def test_surrogates_in_utf_8_are_one_character() -> None:
    """As Java and Oracle write it."""
    pair = "😀".encode("utf-16-be")
    octets = b"".join(
        chr(int.from_bytes(pair[at : at + 2])).encode("utf-8", "surrogatepass") for at in (0, 2)
    )
    assert charsets.decode("Grüße ".encode() + octets, "UTF-8") == "Grüße 😀"
    assert charsets.decode(octets[:3], "utf-8") is None


def in_jis(text: str) -> bytes:
    """Two 7-bit octets for each character, computed from its Windows Shift JIS code."""
    octets = bytearray()
    for first, second in (character.encode("cp932") for character in text):
        row = (first - (0x70 if first < 0xE0 else 0xB0)) * 2
        if second >= 0x9F:
            octets += bytes([row, second - 0x7E])
        else:
            octets += bytes([row - 1, second - (0x1F if second < 0x7F else 0x20)])
    return bytes(octets)


@pytest.mark.parametrize("text", ["障害①㈱", "髙﨑Ⅷ", "漢字"])
def test_the_characters_of_windows_are_read_in_every_japanese_charset(text: str) -> None:
    pairs = in_jis(text)
    high = bytes(octet | 0x80 for octet in pairs)
    mixed = b"a\x1b$B" + pairs + b"\x1b(Ja\x1b(I1\x1b(B"
    assert charsets.decode(mixed, "ISO-2022-JP") == f"a{text}aｱ"
    assert charsets.decode(b"a" + high + b"\x8e\xb1", "euc-jp") == f"a{text}ｱ"


@pytest.mark.parametrize("octets", [b"\x1b$B\x21", b"\x1b$B\x21\x20\x1b(B", b"\xff"])
def test_what_is_no_text_in_its_charset_is_none(octets: bytes) -> None:
    assert charsets.decode(octets, "iso-2022-jp") is None


@pytest.mark.parametrize(
    "label", ["", "us-ascii", "ascii", "x-unknown", "rot13", "base64", "idna", "a" * 65, "../x"]
)
def test_a_label_that_names_no_charset_says_nothing(label: str) -> None:
    assert charsets.decode(b"\xe4", label) is None


def test_a_byte_order_mark_turns_utf_16() -> None:
    assert charsets.decode(b"\xfe\xff\0a", "utf-16") == "a"
    assert charsets.decode(b"\xff\xfea\0", "utf-16") == "a"


@pytest.mark.parametrize("label", sorted(LABELS))
def test_every_label_of_the_standard_is_answered(label: str) -> None:
    charsets.decode(b"a\x80\xff", label)


@given(st.binary(max_size=40), st.sampled_from(sorted(LABELS)))
def test_any_octets_are_text_or_none(octets: bytes, label: str) -> None:
    found = charsets.decode(octets, label)
    assert found is None or found.encode("utf-8", "surrogatepass") is not None
