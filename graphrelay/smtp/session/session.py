"""What is known of one client, and the ways of answering it: what a conversation's parts share.

                      ┌─▶ TlsAndAuth     STARTTLS, AUTH
    Conversation ─────┼─▶ MailCommands   MAIL, RCPT, DATA, BDAT
    greeting, loop    └─▶ Session        who the client is, replies, patience ──▶ ConnectionBuffer

What is always true here: a session has three ways of refusing. `wrong` is for a command that is
wrong in itself, `refuse` for one that the rules forbid and that an admin should know of, `hang_up`
for what is not a mail client. Each costs patience, and a client that has used up its patience is
disconnected.
"""

import asyncio
from typing import Final, Unpack

from graphrelay.journal import events
from graphrelay.model import Origin, Reply
from graphrelay.smtp.access.admission import LOCAL, client_address, local_user
from graphrelay.smtp.access.login import Login
from graphrelay.smtp.connection.buffer import ConnectionBuffer, Dismissed
from graphrelay.smtp.context import ListenerContext
from graphrelay.smtp.grammar import replies

_PATIENCE: Final = 1_000
"""What a client may get wrong until it is disconnected: a wrong command counts 50, a refused
recipient 1. An accepted message restores it."""
_WRONG: Final = 50
_SMALL_TALK: Final = 200
"""Commands that lead nowhere (NOOP, RSET, EHLO …) from one message to the next."""
SHOWN: Final = 300
"""Characters of what a client sent that are written to the journal."""


class SessionEnded(Exception):  # noqa: N818 (not an error)
    """The conversation is over."""


class HungUp(SessionEnded):
    """The relay ended it, and the client may still be sending."""


class LostInHandshake(SessionEnded):
    """The connection was lost during a TLS handshake, which no event loop reports to a protocol."""


class Session:
    """One client's session, without the message under way."""

    def __init__(self, context: ListenerContext, transport: asyncio.Transport) -> None:
        self.listener = context.listener
        self.server = context.server
        self.certificate = context.certificate
        self.buffer = ConnectionBuffer(
            transport, self.server.clock.seconds, self.server.for_a_command
        )
        self.say = self.buffer.say
        """Add a reply as it goes over the wire."""
        self.client = client_address(transport.get_extra_info("peername"))
        self.counted_as = self.client
        """What limits hold for: the client's address, or the user of a Unix socket."""
        if self.client == LOCAL:
            self.counted_as = local_user(transport.get_extra_info("socket"))
        self.helo: str | None = None
        self.login: Login | None = None
        self.tls: str | None = None
        """The version, such as `TLSv1.3`."""
        self.failed = False
        """Whether anything was refused or went wrong."""
        self._patience = _PATIENCE
        self._small_talk = 0

    @property
    def origin(self) -> Origin:
        return Origin(
            listener=self.listener.address,
            client=self.client,
            helo=self.helo or "",
            login=self.login.name if self.login else None,
            tls=self.tls,
        )

    # --- Answers ----------------------------------------------------------------------------------

    def reply(self, reply: Reply) -> None:
        self.buffer.say(replies.octets(reply))

    def wrong(self, reply: Reply) -> None:
        """The command is wrong in itself."""
        self.reply(reply)
        self.spend(_WRONG)

    def refuse(self, stage: str, reply: Reply, **details: Unpack[events.RefusedDetails]) -> None:
        """The rules forbid it: the journal has it too."""
        self.note_refused(stage, str(reply), **details)
        self.wrong(reply)

    def hang_up(self, reply: Reply) -> None:
        """This is not a mail client, or its next octets cannot be understood. Raises `HungUp`."""
        self.note_refused_quietly("COMMAND", str(reply))
        self.failed = True
        self.reply(reply)
        raise HungUp

    # --- Patience ---------------------------------------------------------------------------------

    def spend(self, cost: int) -> None:
        """Raises `Dismissed` when the patience is used up."""
        self.failed = True
        self._patience -= cost
        if self._patience <= 0:
            raise Dismissed(replies.TOO_MANY_ERRORS)

    def small_talk(self) -> None:
        """Count a command that leads nowhere. Raises `Dismissed` when there were too many."""
        self._small_talk += 1
        if self._small_talk > _SMALL_TALK:
            raise Dismissed(replies.TOO_MUCH_CHATTER)

    def restore_patience(self) -> None:
        """A message was accepted."""
        self._patience = _PATIENCE
        self._small_talk = 0

    # --- The journal ------------------------------------------------------------------------------

    def note_refused(
        self, stage: str, reply: str, again: bool = False, **details: Unpack[events.RefusedDetails]
    ) -> None:
        """`again`: it is one of many, which would fill the journal."""
        self.failed = True
        if again:
            refused = events.RefusedAgain(self.origin, stage, reply, **details)
            self.server.journal.write(refused)
        else:
            self.server.quiet.write_some(events.Refused(self.origin, stage, reply, **details))

    def note_refused_quietly(
        self, stage: str, reply: str, *, login: str = "", reason: str = "", remedy: str | None = ""
    ) -> None:
        """The same, once an hour for each client and reason."""
        self.server.quiet.write(
            events.Refused(
                self.origin,
                stage,
                reply,
                login=login or None,
                reason=reason or None,
                remedy=remedy or None,
            )
        )

    def note_trouble(self, error: Exception) -> None:
        """Something went wrong in the relay; the client gets no detail of it."""
        self.server.journal.write(
            events.SmtpTrouble(
                client=self.client,
                listener=self.listener.address,
                reason=f"{type(error).__name__}: {error}",
                next="the client was asked to try again later",
            )
        )
