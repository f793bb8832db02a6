"""Text as PostgreSQL can keep it: without NUL and without lone surrogates (from octets that were no
UTF-8). Such a character becomes ESC and its four hexadecimal digits, as does ESC itself."""

import re

_ODD = re.compile("[\x00\x1b\ud800-\udfff]")
_KEPT = re.compile("\x1b([0-9a-f]{4})")


def storable(text: str) -> str:
    return _ODD.sub(lambda odd: f"\x1b{ord(odd[0]):04x}", text) if _ODD.search(text) else text


def restored(kept: str) -> str:
    return _KEPT.sub(lambda odd: chr(int(odd[1], 16)), kept) if "\x1b" in kept else kept
