"""The SMTP server, on aiosmtpd.

Clients connect to listeners, each has a conversation, and what they send goes to a
`model.Reception`. This room depends on nothing else of the relay.

    Server ── Listener … ──▶ Conversation ── ConnectionBuffer ── DataReader ──▶ Reception.accept
"""

from graphrelay.smtp.access.listener import (
    LOOPBACK,
    Limits,
    Listener,
    ListenError,
    mistake,
    strangers_can_reach,
)
from graphrelay.smtp.access.login import Login, hash_password, is_password_hash, verify
from graphrelay.smtp.connection.transcript import FailedConversation, Transcripts
from graphrelay.smtp.server import Server

__all__ = [
    "LOOPBACK",
    "FailedConversation",
    "Limits",
    "ListenError",
    "Listener",
    "Login",
    "Server",
    "Transcripts",
    "hash_password",
    "is_password_hash",
    "mistake",
    "strangers_can_reach",
    "verify",
]
