"""Labels of charsets have the meaning that the WHATWG encoding standard gives them.

Programs write `gb2312` and mean GB 18030, `shift_jis` and mean Windows-31J, `iso-8859-1` and mean
Windows-1252, as browsers assume (https://encoding.spec.whatwg.org). The package webencodings has
the standard's table of labels; if Python's codec of that name covers less than the standard, a
larger one of its family is used. Labels that occur in mail but not in the standard (`cp850`,
`utf-7`, `hz-gb-2312`) have Python's meaning.

Decoding takes linear time, and never searches the disk for a name from a message.
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
    "utf-8": ("utf-8", "cesu-8"),
    "gbk": ("gb18030",),
    "shift_jis": ("cp932", "shift_jis_2004"),
    "euc-jp": ("euc_jp", "whatwg-euc-jp"),
    "iso-2022-jp": ("iso2022_jp_ext", "whatwg-iso-2022-jp"),
    "euc-kr": ("cp949",),
    "big5": ("big5hkscs", "cp950"),
    "utf-16le": ("whatwg-utf-16",),
}
"""By the standard's name: the codecs of Python to try, in order."""
_SAYS_NOTHING = frozenset(
    {"ascii", "us-ascii", "ansi_x3.4-1968", "iso646-us", "iso-ir-6", "unknown-8bit"}
)
"""Labels that say nothing about octets beyond ASCII, although the standard maps some to
Windows-1252: mailers use them without looking at the text."""
_MAILS_OWN = frozenset({"iso-2022-kr", "hz-gb-2312"})
"""Labels that the standard refuses for the safety of web pages."""
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
)
"""Python's codecs that are not charsets of mail; some of them take quadratic time."""
_PYTHONS = frozenset(aliases.aliases) | {one.name for one in iter_modules(encodings.__path__)}
"""All of Python's codecs. `codecs.lookup` searches the disk for any other name, and caches the
failure forever."""


def decode(octets: bytes, label: str) -> str | None:
    """The text, if the octets are valid in the charset of the label; else `None`."""
    for codec in codecs_of(label):
        try:
            return _OWN[codec](octets) if codec in _OWN else octets.decode(codec)
        except ValueError:
            continue
    return None


@lru_cache(maxsize=256)
def codecs_of(label: str) -> tuple[str, ...]:
    """The codecs to try for a label, in order; none if the label says nothing."""
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


def _cesu_8(octets: bytes) -> str:
    """UTF-8 in which characters beyond U+FFFF are two surrogates, as Java and Oracle write it
    (Unicode Technical Report 26)."""
    text = octets.decode("utf-8", "surrogatepass")
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


# --- Japanese, with the characters of Windows ----------------------------------------------------

_ESCAPE = re.compile(rb"\x1b(\$[@B]|\([BJI])")
_EUC = re.compile(
    rb"[\x00-\x80]++|(?:[\xa1-\xfe]{2})++|(?:\x8e[\xa1-\xdf])++|(?:\x8f[\xa1-\xfe]{2})++|.", re.S
)


def _iso_2022_jp(octets: bytes) -> str:
    """Decodes row 13 and Windows' other characters as well, which Python's codec refuses."""
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
    """Decodes pairs of seven-bit octets through Shift JIS, whose codec has the characters of
    Windows."""
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
    "cesu-8": _cesu_8,
    "whatwg-iso-2022-jp": _iso_2022_jp,
    "whatwg-euc-jp": _euc_jp,
    "whatwg-utf-16": _utf_16,
}
