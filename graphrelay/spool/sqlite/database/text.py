"""Text as SQLite can keep it."""


def storable(text: str) -> str | bytes:
    """As SQLite can keep it. Text that is no UTF-8 (lone surrogates, from octets that were none)
    is kept as a blob, and comes back the same from `restored`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def restored(kept: str | bytes) -> str:
    return kept.decode("utf-8", "surrogatepass") if isinstance(kept, bytes) else kept
