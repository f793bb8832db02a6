"""What all conversations of a server share: the rules, the owners of the mail, who is inside."""

from dataclasses import dataclass
from typing import Final

from graphrelay.clock import Clock
from graphrelay.journal import Journal
from graphrelay.model import Reception
from graphrelay.smtp.access.admission import Gate, QuietJournal
from graphrelay.smtp.access.listener import Limits, Listener, Network
from graphrelay.smtp.access.login import LoginBook
from graphrelay.smtp.access.tls import Certificate
from graphrelay.smtp.connection.buffer import Patience
from graphrelay.smtp.connection.transcript import Transcripts

COMMAND: Final = "a command"
MESSAGE: Final = "the message"
_SLOWEST: Final = 256
"""Octets a second below which a message is not coming, but holding a connection."""


@dataclass(frozen=True, slots=True)
class Service:
    """One server's rules and owners."""

    hostname: str
    limits: Limits
    logins: LoginBook
    reception: Reception
    journal: Journal
    quiet: QuietJournal
    clock: Clock
    gate: Gate
    transcribed: tuple[Network, ...]
    """Clients whose failed conversations are written into the journal …"""
    transcripts: Transcripts
    """… and kept, for who asks."""
    for_a_command: Patience
    for_a_message: Patience


def patience_for_a_command(limits: Limits) -> Patience:
    """The second time-out is for those who send their command octet by octet."""
    return Patience(COMMAND, limits.command_timeout, 2 * limits.command_timeout)


def patience_for_a_message(limits: Limits) -> Patience:
    """A message may take as long as it likes, at a pace that gets somewhere."""
    return Patience(MESSAGE, limits.data_timeout, limits.data_timeout, _SLOWEST)


@dataclass(frozen=True, slots=True)
class Door:
    """One listener of a service."""

    listener: Listener
    service: Service
    certificate: Certificate | None
    """Where TLS is on."""
