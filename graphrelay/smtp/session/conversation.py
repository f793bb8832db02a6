"""One client's conversation from connecting to the last reply: commands in, replies out.

    connect ─▶ greeting ─▶ EHLO/HELO ─▶ [STARTTLS] ─▶ [AUTH] ─▶ messages … ─▶ QUIT

What is always true here: a command is one of the table at the end of this file, and nothing else
is; whatever goes wrong in the relay becomes a 4yz reply and a line in the journal, never a
traceback on the wire and never a lost conversation; and whatever is not SMTP (TLS on a plain port,
HTTP, bare line feeds) is recognised, explained in the journal and cut off.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from graphrelay.journal import events
from graphrelay.model import Reply
from graphrelay.smtp.access.admission import LOCAL, is_among, short_of_descriptors
from graphrelay.smtp.connection.buffer import ClientGone, ConnectionBuffer, Dismissed, LineTooLong
from graphrelay.smtp.connection.proxy import NoProxyHeader, real_client
from graphrelay.smtp.connection.transcript import FailedConversation, Transcript
from graphrelay.smtp.context import MESSAGE, ListenerContext
from graphrelay.smtp.grammar import replies
from graphrelay.smtp.grammar.sasl import MECHANISMS
from graphrelay.smtp.session.receive import reply_to
from graphrelay.smtp.session.session import HungUp, LostInHandshake, Session, SessionEnded
from graphrelay.smtp.session.tls_and_auth import TlsAndAuth
from graphrelay.smtp.session.transaction import MailCommands

_TLS_HANDSHAKE: Final = 0x16
"""The first octet of a TLS ClientHello (RFC 8446 section 5.1)."""
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HTTP: Final = frozenset(
    b"GET POST PUT HEAD OPTIONS DELETE PATCH CONNECT TRACE PRI".split()  # PRI opens HTTP/2
)
_LONGEST_HELO: Final = 255

Command = Callable[["Conversation", str], Awaitable[None]]
"""Carries out a command, given what follows its verb."""


class Conversation:
    """One client's conversation, made of a session and the parts that carry out its commands."""

    def __init__(
        self,
        context: ListenerContext,
        transport: asyncio.Transport,
        ended: Callable[["Conversation"], None],
    ) -> None:
        """`ended` is called when the connection is closed in both directions."""
        self._descriptor = int(transport.get_extra_info("socket").fileno())
        self.session = Session(context, transport)
        self.buffer: ConnectionBuffer = self.session.buffer
        self.tls_and_auth = TlsAndAuth(self.session)
        self.mail = MailCommands(self.session)
        self._ended = ended
        self._transcript: Transcript | None = None

    def lost(self, error: Exception | None) -> None:
        """In TLS 1.3 only this shows, after the handshake, that the client did not accept it."""
        if isinstance(error, ssl.SSLError):
            self.tls_and_auth.note_no_tls(error)
        self._ended(self)

    # --- The course of a conversation ------------------------------------------------------------

    async def converse(self) -> None:
        """From connecting to the end. Raises nothing."""
        linger = False
        try:
            await self._enter()
        except LostInHandshake:
            self.buffer.lost()
            self.lost(None)
        except (ClientGone, SessionEnded) as ended:
            linger = isinstance(ended, HungUp)
        except Dismissed as dismissed:
            linger = True
            self._dismissed(dismissed.reply)
        except Exception as error:
            linger = True
            self.session.note_trouble(error)
            self.session.reply(replies.CLOSING_IN_TROUBLE)
        finally:
            self.buffer.close(linger=linger)
            self._keep_transcript()

    async def _enter(self) -> None:
        session, server = self.session, self.session.server
        if is_among(session.client, session.listener.proxy_from):
            await self._learn_real_client()
        if is_among(session.client, server.transcribed):
            self._transcript = Transcript()
            self.buffer.write_down(self._transcript)
        refusal = self._refusal_of_client()
        if refusal is not None:
            session.note_refused_quietly("CONNECT", str(refusal))
            if session.listener.tls != "implicit":
                session.reply(refusal)
            return
        try:
            await self._stay()
        finally:
            server.gate.leave(session.counted_as)
            await self.mail.give_up()

    async def _learn_real_client(self) -> None:
        session = self.session
        try:
            session.client = session.counted_as = await real_client(self.buffer) or session.client
        except NoProxyHeader as error:
            session.note_refused_quietly(
                "CONNECT", "no PROXY header from a proxy", reason=str(error)
            )
            raise SessionEnded from error

    def _refusal_of_client(self) -> Reply | None:
        session = self.session
        if session.client != LOCAL and not is_among(session.client, session.listener.allow_from):
            return replies.not_allowed(session.client)
        short = short_of_descriptors(self._descriptor)
        return short or session.server.gate.enter(session.counted_as)

    async def _stay(self) -> None:
        session, server = self.session, self.session.server
        if session.listener.tls == "implicit":
            await self.tls_and_auth.shake_hands()
        session.say(f"220 {server.hostname} ESMTP graphrelay\r\n".encode())
        if await self.buffer.first_octet() == _TLS_HANDSHAKE:
            self._note_tls_on_a_plain_port()
            return
        while True:
            self.buffer.begin(server.for_a_command)
            try:
                await self._obey(await self.buffer.line())
            except LineTooLong:
                session.wrong(replies.LINE_TOO_LONG)

    async def _obey(self, line: bytes) -> None:
        session = self.session
        if line[-2:] != b"\r\n":
            session.hang_up(replies.BARE_LINE_FEED)
        octets = line[:-2]
        if _CONTROL.search(octets):
            session.wrong(replies.CONTROL_CHARACTERS)
            return
        verb, _, argument = octets.partition(b" ")
        verb = verb.upper()
        command = COMMANDS.get(verb)
        if command is None:
            if verb in _HTTP:
                session.hang_up(replies.NOT_HTTP)
            session.wrong(replies.UNKNOWN_COMMAND)
            return
        try:
            text = argument.decode()
        except UnicodeDecodeError:
            session.wrong(replies.NOT_UTF8)
            return
        await self._carry_out(command, text.strip())

    async def _carry_out(self, command: Command, argument: str) -> None:
        try:
            await command(self, argument)
        except (ClientGone, Dismissed, SessionEnded, LineTooLong):
            raise
        except Exception as error:
            if self.buffer.stage == MESSAGE:  # where the message ends is no longer known
                raise
            self.session.note_trouble(error)
            self.session.reply(reply_to(error))

    # --- Greetings and small talk ----------------------------------------------------------------

    async def helo(self, argument: str) -> None:
        """RFC 5321 section 4.1.1.1; the name may be missing, since some devices have none."""
        await self._greet(argument)
        self.session.say(f"250 {self.session.server.hostname}\r\n".encode())

    async def ehlo(self, argument: str) -> None:
        """The same, answered with the extensions offered here."""
        await self._greet(argument)
        self.session.say(self._extensions())

    async def noop(self, argument: str) -> None:
        self.session.small_talk()
        self.session.say(replies.OK)

    async def rset(self, argument: str) -> None:
        self.session.small_talk()
        await self.mail.give_up()
        self.session.say(replies.OK)

    async def vrfy(self, argument: str) -> None:
        self.session.small_talk()
        if argument:
            self.session.say(replies.CANNOT_VRFY)
        else:
            self.session.wrong(replies.NEEDS_ARGUMENT)

    async def expn(self, argument: str) -> None:
        self.session.wrong(replies.NOT_IMPLEMENTED)

    async def help(self, argument: str) -> None:
        self.session.small_talk()
        self.session.say(f"214 2.0.0 Commands: {_OFFERED}\r\n".encode())

    async def quit(self, argument: str) -> None:
        self.session.say(replies.GOODBYE)
        raise SessionEnded

    async def _greet(self, argument: str) -> None:
        self.session.small_talk()
        await self.mail.give_up()
        self.session.helo = argument[:_LONGEST_HELO]

    def _extensions(self) -> bytes:
        server = self.session.server
        more = "250-STARTTLS\r\n" if self.tls_and_auth.offers_tls else ""
        if self.tls_and_auth.offers_login:
            more += f"250-AUTH {' '.join(MECHANISMS)}\r\n"
        return (
            f"250-{server.hostname}\r\n"
            "250-PIPELINING\r\n"
            "250-8BITMIME\r\n"
            "250-SMTPUTF8\r\n"
            "250-ENHANCEDSTATUSCODES\r\n"
            "250-CHUNKING\r\n"
            "250-BINARYMIME\r\n"
            "250-DSN\r\n"
            f"250-SIZE {server.reception.size_limit(self.session.origin)}\r\n"
            f"250-LIMITS RCPTMAX={server.limits.max_recipients}\r\n"
            f"{more}"
            "250 HELP\r\n"
        ).encode()

    # --- What one part needs of another ----------------------------------------------------------

    async def starttls(self, argument: str) -> None:
        """A message under way counts for nothing after the handshake either."""
        if await self.tls_and_auth.starttls(argument):
            await self.mail.give_up()

    async def auth(self, argument: str) -> None:
        """Not allowed during a transaction (RFC 4954 section 4)."""
        if self.mail.under_way:
            self.session.wrong(replies.NOT_NOW)
        else:
            await self.tls_and_auth.auth(argument)

    # --- Endings ---------------------------------------------------------------------------------

    def _dismissed(self, reply: Reply) -> None:
        if reply is not replies.STOPPING:
            self.session.failed = True
            self.session.note_refused_quietly(self.buffer.stage, str(reply))
        self.session.reply(reply)

    def _keep_transcript(self) -> None:
        session, server = self.session, self.session.server
        if self._transcript is None or not session.failed:
            return
        client, listener = session.client, session.listener.address
        lines = self._transcript.lines()
        server.journal.write(events.Transcript(client=client, listener=listener, lines=lines))
        ended = server.clock.now()
        server.transcripts.keep(FailedConversation(ended, client, listener, tuple(lines)))

    def _note_tls_on_a_plain_port(self) -> None:
        session = self.session
        session.failed = True
        session.note_refused_quietly(
            "CONNECT",
            "TLS handshake on a port that begins in clear",
            remedy="set the client to STARTTLS, or give it a listener with tls = implicit"
            if session.listener.tls == "starttls"
            else "set the client to no encryption, or give it a listener with tls = implicit",
        )


COMMANDS: Final[dict[bytes, Command]] = {
    b"HELO": Conversation.helo,
    b"EHLO": Conversation.ehlo,
    b"STARTTLS": Conversation.starttls,
    b"AUTH": Conversation.auth,
    b"MAIL": lambda conversation, argument: conversation.mail.mail(argument),
    b"RCPT": lambda conversation, argument: conversation.mail.rcpt(argument),
    b"DATA": lambda conversation, argument: conversation.mail.data(argument),
    b"BDAT": lambda conversation, argument: conversation.mail.bdat(argument),
    b"RSET": Conversation.rset,
    b"NOOP": Conversation.noop,
    b"VRFY": Conversation.vrfy,
    b"EXPN": Conversation.expn,
    b"HELP": Conversation.help,
    b"QUIT": Conversation.quit,
}
"""Every command that a client may give, and what carries it out."""
_OFFERED: Final = b" ".join(sorted(COMMANDS.keys() - {b"EXPN"})).decode()
