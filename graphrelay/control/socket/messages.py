"""The words on the control socket: lines of JSON, one request, any number of events, one end.

    → {"verb": "authorize", "arguments": {"account": "website"}}
    ← {"event": {"kind": "open", "url": "https://…", "seconds": 600}}
    ← {"ask": "redirected"}              only where the verb needs more from the person
    → {"answer": "http://localhost/?code=…"}
    ← {"event": {…}} …
    ← {"end": true}                      or {"error": "sentence"}

A client that goes away cancels its verb. Events are what `--json` prints.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

Event = dict[str, Any]
LIMIT = 1024 * 1024
"""The longest line in octets, either way."""
LONGEST_SAID = 500
"""Characters of what a person tells other people."""


class VerbError(Exception):
    """The verb cannot be carried out; the text is for the person who asked."""


class Asker(Protocol):
    """How a verb asks its person for something in mid-course."""

    async def __call__(self, what: str) -> str: ...


Verb = Callable[[Mapping[str, Any], Asker], AsyncIterator[Event]]
"""Takes the arguments and a way to ask; yields events. Raises `VerbError`."""


def encode(message: Mapping[str, Any]) -> bytes:
    """Half of a surrogate pair (an argument that is no UTF-8) goes as JSON's own escape of it."""
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def said(arguments: Mapping[str, Any], name: str) -> str:
    """What a person wrote there, for other people's eyes: one printable line of bounded length.
    Whoever may ask need not be whoever reads it, in a terminal, as root."""
    text = str(arguments.get(name) or "")[:LONGEST_SAID]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


async def read_message(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next line, or `None` at the end. Raises `VerbError` for what is no message."""
    try:
        line = await reader.readline()
    except (ValueError, ConnectionError) as error:
        raise VerbError(f"the line is too long or was cut: {error}") from error
    if not line.endswith(b"\n"):
        return None
    try:
        message = json.loads(line)
    except ValueError as error:
        raise VerbError("not a line of JSON") from error
    if not isinstance(message, dict):
        raise VerbError("not a JSON object")
    return message
