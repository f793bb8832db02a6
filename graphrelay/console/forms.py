"""What a person typed into a filter, as the verbs take it."""

from datetime import UTC, datetime

from aiohttp import web

from graphrelay.console import texts

_DIGITS = 15


def number(text: str) -> int | None:
    """Raises `HTTPBadRequest` for what is not a number."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise web.HTTPBadRequest(text=texts.NO_NUMBER)
    return int(text)


def moment(text: str) -> str | None:
    """`2026-11-30T12:00`, in UTC, as ISO 8601. Raises `HTTPBadRequest`."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return found.astimezone(UTC).isoformat()
    except (ValueError, OverflowError) as error:
        raise web.HTTPBadRequest(text=texts.NO_MOMENT.format(text=text[:40])) from error
