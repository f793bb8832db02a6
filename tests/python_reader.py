"""How Python's email package reads an address list, on every version of it."""

import email.utils
from collections.abc import Iterable

# With `strict`, the default in Python versions that have it, `user@[192.0.2.1]` is read as no
# address.
_LENIENT = {"strict": False} if hasattr(email.utils, "supports_strict_parsing") else {}


def getaddresses(fields: Iterable[str]) -> list[tuple[str, str]]:
    """Names and addresses."""
    return email.utils.getaddresses(fields, **_LENIENT)
