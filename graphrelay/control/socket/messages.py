"""The messages on the control socket: lines of JSON, one request, any number of events, one end.

    → {"verb": "authorize", "arguments": {"account": "website"}}
    ← {"event": {"kind": "open", "url": "https://…", "seconds": 600}}
    ← {"ask": "redirected"}              only where the verb needs more from the person
    → {"answer": "http://localhost/?code=…"}
    ← {"event": {…}} …
    ← {"end": true}                      or {"error": "sentence"}

A client that disconnects cancels its verb.
"""

import json
from collections.abc import Mapping
from typing import Any

from graphrelay.control.verb import VerbError

LIMIT = 1024 * 1024
"""The longest line in octets, either way."""


def encode(message: Mapping[str, Any]) -> bytes:
    """One line. Half of a surrogate pair (an argument that is not UTF-8) is written as the escape
    that JSON has for it."""
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def decode(line: bytes) -> dict[str, Any] | None:
    """What a line says, or `None` where it was cut off. Raises `VerbError` for what is not a
    message."""
    if not line.endswith(b"\n"):
        return None
    try:
        message = json.loads(line)
    except ValueError as error:
        raise VerbError("not a line of JSON") from error
    if not isinstance(message, dict):
        raise VerbError("not a JSON object")
    return message
