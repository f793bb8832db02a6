"""What a charset's label means in mail: what the WHATWG encoding standard says it means.

Programs write `gb2312` and mean GB 18030, `shift_jis` and mean Windows-31J, `iso-8859-1` and mean
Windows-1252, as browsers learned long ago (https://encoding.spec.whatwg.org). The standard's table
of labels is that of the package webencodings; where Python's codec of that name knows less than
the standard, the larger one of its family reads it. Labels that the standard does not know, but
mail does (`cp850`, `utf-7`, `hz-gb-2312`), are Python's.

Reading takes linear time, and looks nothing up on the disk that strangers named.
"""

import codecs
import encodings
import re
from encodings import aliases
from functools import lru_cache
from pkgutil import iter_modules

import webencodings

_LONGEST = 64
_LARGER = {
    "gbk": ("gb18030",),
    "shift_jis": ("cp932", "shift_jis_2004"),
    "euc-jp": ("euc_jp", "whatwg-euc-jp"),
    "iso-2022-jp": ("iso2022_jp_ext", "whatwg-iso-2022-jp"),
    "euc-kr": ("cp949",),
    "big5": ("big5hkscs", "cp950"),
    "utf-16le": ("whatwg-utf-16",),
}
"""By the standard's name: the codecs of Python to try, in their order."""
_SAYS_NOTHING = frozenset(
    {"ascii", "us-ascii", "ansi_x3.4-1968", "iso646-us", "iso-ir-6", "unknown-8bit"}
)
"""Labels that say nothing about octets beyond ASCII, though the standard has Windows-1252 for some:
mailers name them that never looked at the text."""
_MAILS_OWN = frozenset({"iso-2022-kr", "hz-gb-2312"})
"""What the standard refuses, to keep web pages safe."""
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
)
"""Python's codecs that are no charsets of mail; some of them take quadratic time."""
_PYTHONS = frozenset(aliases.aliases) | {one.name for one in iter_modules(encodings.__path__)}
"""All that Python has. `codecs.lookup` searches the disk for any other name, and remembers for good
that there was nothing."""


def decode(octets: bytes, label: str) -> str | None:
    """The text, where the label names a charset in which the octets are text; else `None`."""
    for codec in codecs_of(label):
        try:
            return _OWN[codec](octets) if codec in _OWN else octets.decode(codec)
        except ValueError:
            continue
    return None


@lru_cache(maxsize=256)
def codecs_of(label: str) -> tuple[str, ...]:
    """The codecs to try for a label, in their order; none where it says nothing."""
    label = label.strip().lower()
    if len(label) > _LONGEST or label in _SAYS_NOTHING:
        return ()
    known = webencodings.lookup(label) if label not in _MAILS_OWN else None
    if known is not None and known.name not in ("replacement", "x-user-defined"):
        return _LARGER.get(known.name, (known.codec_info.name,))
    if encodings.normalize_encoding(label).lower() not in _PYTHONS:
        return ()
    try:
        found = codecs.lookup(label)
    except (LookupError, ValueError):
        return ()
    is_text = getattr(found, "_is_text_encoding", True)
    return (found.name,) if is_text and found.name not in _NO_CHARSETS else ()


# --- Japanese, with the characters of Windows ----------------------------------------------------

_ESCAPE = re.compile(rb"\x1b(\$[@B]|\([BJI])")
_EUC = re.compile(
    rb"[\x00-\x80]++|(?:[\xa1-\xfe]{2})++|(?:\x8e[\xa1-\xdf])++|(?:\x8f[\xa1-\xfe]{2})++|.", re.S
)


def _iso_2022_jp(octets: bytes) -> str:
    """With row 13 and the other characters of Windows, which Python's codec refuses."""
    pieces = _ESCAPE.split(octets)
    text = [pieces[0].decode("ascii")]
    for mark, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if mark.startswith(b"$"):
            text.append(_jis_x_0208(piece))
        elif mark == b"(I":
            text.append(bytes(octet | 0x80 for octet in piece).decode("cp932"))
        else:
            text.append(piece.decode("ascii"))
    return "".join(text)


def _euc_jp(octets: bytes) -> str:
    text = []
    for piece in _EUC.findall(octets):
        if piece[0] <= 0x80:
            text.append(piece.decode("latin-1"))
        elif piece[0] >= 0xA1 and len(piece) > 1:
            text.append(_jis_x_0208(bytes(octet & 0x7F for octet in piece)))
        else:
            text.append(piece.decode("euc_jp"))
    return "".join(text)


def _jis_x_0208(pairs: bytes) -> str:
    """Pairs of seven-bit octets, by way of Shift JIS, whose codec has the characters of Windows."""
    if len(pairs) % 2:
        raise UnicodeError("half a character")
    octets = bytearray()
    for row, cell in zip(pairs[::2], pairs[1::2], strict=True):
        if not (0x21 <= row <= 0x7E and 0x21 <= cell <= 0x7E):
            raise UnicodeError("no character")
        octets.append((row + 1) // 2 + (0x70 if row <= 0x5E else 0xB0))
        octets.append(cell + (0x7E if row % 2 == 0 else 0x1F if cell < 0x60 else 0x20))
    return octets.decode("cp932")


def _utf_16(octets: bytes) -> str:
    """By the byte order mark if there is one, else little-endian."""
    mark = octets[:2]
    return octets.decode("utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-16-le")


_OWN = {
    "whatwg-iso-2022-jp": _iso_2022_jp,
    "whatwg-euc-jp": _euc_jp,
    "whatwg-utf-16": _utf_16,
}
