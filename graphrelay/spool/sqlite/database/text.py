"""Text as SQLite can keep it."""


def storable(text: str) -> str | bytes:
    """As SQLite can store it. Text that cannot be encoded as UTF-8 (lone surrogates, from octets
    that were not UTF-8) is stored as a blob, and `restored` returns it unchanged."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def restored(kept: str | bytes) -> str:
    return kept.decode("utf-8", "surrogatepass") if isinstance(kept, bytes) else kept
