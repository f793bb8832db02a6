"""How Python's email package reads an address list, on every version of it."""

import email.utils
from collections.abc import Iterable

# With `strict`, their default, Pythons that have it read `user@[192.0.2.1]` as nobody.
_LENIENT = {"strict": False} if hasattr(email.utils, "supports_strict_parsing") else {}


def getaddresses(fields: Iterable[str]) -> list[tuple[str, str]]:
    """Names and addresses."""
    return email.utils.getaddresses(fields, **_LENIENT)
