"""AUTH PLAIN and AUTH LOGIN (RFC 4954, RFC 4616): how a name and a password cross the wire.

What is always true here: the prompts of LOGIN are `Username:` and `Password:`, octet for octet,
since copiers give up on anything else; mechanisms are read in any letter case; and no password is
ever part of a reply, an exception or a repr.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from graphrelay.model import Reply

MECHANISMS: Final = ("PLAIN", "LOGIN")

Ask = Callable[[bytes], Awaitable[bytes]]
"""Sends `334` and the challenge, and returns the client's line without its end."""

CANCELLED = Reply(501, "5.7.0", "Login cancelled")
NOT_BASE64 = Reply(501, "5.5.2", "That is not base64")
NOT_PLAIN = Reply(501, "5.5.2", "PLAIN is base64 of NUL, name, NUL, password")
OTHER_IDENTITY = Reply(535, "5.7.8", "Acting for another user is not supported")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "Supported mechanisms: PLAIN and LOGIN")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the client says it is."""

    name: str
    password: str = field(repr=False)


async def credentials(argument: str, ask: Ask) -> Credentials | Reply:
    """Read what follows `AUTH`, asking the client for what is missing."""
    mechanism, _, initial = argument.strip().partition(" ")
    match mechanism.upper():
        case "PLAIN":
            return await _plain(initial.strip().encode(), ask)
        case "LOGIN":
            return await _login(initial.strip().encode(), ask)
        case _:
            return UNKNOWN_MECHANISM


async def _plain(initial: bytes, ask: Ask) -> Credentials | Reply:
    message = _decoded(initial or await ask(b""))
    if isinstance(message, Reply):
        return message
    parts = message.split(b"\0")
    if len(parts) != 3 or not parts[1]:
        return NOT_PLAIN
    identity, name, password = (_text(part) for part in parts)
    if identity not in ("", name):
        return OTHER_IDENTITY
    return Credentials(name, password)


async def _login(initial: bytes, ask: Ask) -> Credentials | Reply:
    name = _decoded(initial or await ask(base64.b64encode(b"Username:")))
    if isinstance(name, Reply):
        return name
    password = _decoded(await ask(base64.b64encode(b"Password:")))
    if isinstance(password, Reply):
        return password
    return Credentials(_text(name), _text(password))


def _decoded(line: bytes) -> bytes | Reply:
    if line == b"*":
        return CANCELLED
    if line == b"=":  # an empty initial response (RFC 4954 section 4)
        return b""
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        return NOT_BASE64


def _text(octets: bytes) -> str:
    """UTF-8, or what old devices send instead."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")
