"""What conversations share: of the whole server, and of the listener that they came in by."""

from dataclasses import dataclass
from typing import Final

from graphrelay.clock import Clock
from graphrelay.journal import Journal
from graphrelay.model import Reception
from graphrelay.smtp.access.admission import Gate, QuietJournal
from graphrelay.smtp.access.listener import Limits, Listener, Network
from graphrelay.smtp.access.login import LoginBook
from graphrelay.smtp.access.tls import ListenerCertificate
from graphrelay.smtp.connection.buffer import Patience
from graphrelay.smtp.connection.transcript import Transcripts

COMMAND: Final = "a command"
MESSAGE: Final = "the message"
_SLOWEST: Final = 256
"""Octets a second below which a client is not sending a message, but holding a connection."""


@dataclass(frozen=True, slots=True)
class ServerContext:
    """The rules of one server, and the owners of what they are about."""

    hostname: str
    limits: Limits
    logins: LoginBook
    reception: Reception
    journal: Journal
    quiet: QuietJournal
    clock: Clock
    gate: Gate
    transcribed: tuple[Network, ...]
    """Clients whose failed conversations are written to the journal …"""
    transcripts: Transcripts
    """… and kept, for those who ask."""
    for_a_command: Patience
    for_a_message: Patience


def patience_for_a_command(limits: Limits) -> Patience:
    """The second limit is for clients that send a command octet by octet."""
    return Patience(COMMAND, limits.command_timeout, 2 * limits.command_timeout)


def patience_for_a_message(limits: Limits) -> Patience:
    """A message may take as long as it likes, as long as it makes progress."""
    return Patience(MESSAGE, limits.data_timeout, limits.data_timeout, _SLOWEST)


@dataclass(frozen=True, slots=True)
class ListenerContext:
    """One listener of a server."""

    listener: Listener
    server: ServerContext
    certificate: ListenerCertificate | None
    """Where TLS is on."""
