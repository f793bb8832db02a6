"""One client's conversation from the door to the goodbye: commands in, replies out.

    the door ─▶ greeting ─▶ EHLO/HELO ─▶ [STARTTLS] ─▶ [AUTH] ─▶ messages … ─▶ QUIT

What is always true here: whatever goes wrong on our side becomes a 4yz reply and a line in the
journal, never a traceback on the wire and never a lost conversation; and whatever is not SMTP (TLS
on a plain port, HTTP, bare line feeds) is recognised, explained in the journal and cut off.
"""

# ruff: noqa: N802 (the names of the commands are aiosmtpd's)

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final, cast

from graphrelay.journal import events
from graphrelay.model import Reply
from graphrelay.smtp.access.admission import (
    LOCAL,
    client_address,
    is_among,
    local_user,
    short_of_descriptors,
)
from graphrelay.smtp.connection.buffer import Dismissed, Gone, LineTooLong, Wire
from graphrelay.smtp.connection.proxy import NoProxyHeader, real_client
from graphrelay.smtp.connection.transcript import FailedConversation, Transcript
from graphrelay.smtp.grammar import replies
from graphrelay.smtp.grammar.sasl import MECHANISMS
from graphrelay.smtp.service import MESSAGE, Door
from graphrelay.smtp.session.receive import reply_to
from graphrelay.smtp.session.session import Finished, HungUp
from graphrelay.smtp.session.transaction import MailSession

_TLS_HANDSHAKE: Final = 0x16
"""The first octet of a TLS ClientHello (RFC 8446 section 5.1)."""
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HTTP: Final = frozenset(
    b"GET POST PUT HEAD OPTIONS DELETE PATCH CONNECT TRACE PRI".split()  # PRI opens HTTP/2
)
_LONGEST_HELO: Final = 255

_Act = Callable[["Conversation", str], Awaitable[None]]
_Told = Callable[["Conversation"], None]


class Conversation(MailSession):
    """One client's session on the protocol of aiosmtpd: a method `smtp_VERB` for each command."""

    def __init__(self, door: Door, began: _Told, ended: _Told) -> None:
        super().__init__(door)
        self._began = began
        self._ended = ended
        self._transcript: Transcript | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        service = self._service
        stream = cast(asyncio.Transport, transport)
        self.client = client_address(stream.get_extra_info("peername"))
        self.counted_as = self.client
        peer = stream.get_extra_info("socket")
        self._descriptor = int(peer.fileno())
        if self.client == LOCAL:
            self.counted_as = local_user(peer)
        self.wire = Wire(stream, service.clock.seconds, service.for_a_command)
        self._began(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._ended(self)

    # --- The course of a conversation -------------------------------------------------------------

    async def converse(self) -> None:
        """From the door to the end. Raises nothing."""
        linger = False
        try:
            await self._enter()
        except (Gone, Finished) as ended:
            linger = isinstance(ended, HungUp)
        except Dismissed as dismissed:
            linger = True
            self._dismissed(dismissed.reply)
        except Exception as error:
            linger = True
            self._report(error)
            self._say(replies.CLOSING_IN_TROUBLE)
        finally:
            self.wire.close(linger=linger)
            self._tell_transcript()

    async def _enter(self) -> None:
        if is_among(self.client, self._door.listener.proxy_from):
            await self._learn_real_client()
        if is_among(self.client, self._service.transcribed):
            self._transcript = Transcript()
            self.wire.write_down(self._transcript)
        refusal = self._refusal_at_the_door()
        if refusal is not None:
            self._service.quiet.write(events.Refused(self._origin, "CONNECT", str(refusal)))
            if self._door.listener.tls != "implicit":
                self._say(refusal)
            return
        try:
            await self._stay()
        finally:
            self._service.gate.leave(self.counted_as)
            await self._give_up()

    async def _learn_real_client(self) -> None:
        try:
            self.client = self.counted_as = await real_client(self.wire) or self.client
        except NoProxyHeader as error:
            self._service.quiet.write(
                events.Refused(
                    self._origin, "CONNECT", "no PROXY header from a proxy", reason=str(error)
                )
            )
            raise Finished from error
        self._known_origin = None

    def _refusal_at_the_door(self) -> Reply | None:
        if self.client != LOCAL and not is_among(self.client, self._door.listener.allow_from):
            return replies.not_allowed(self.client)
        short = short_of_descriptors(self._descriptor)
        return short or self._service.gate.enter(self.counted_as)

    async def _stay(self) -> None:
        if self._door.listener.tls == "implicit":
            await self._start_tls()
        self.wire.say(f"220 {self._service.hostname} ESMTP graphrelay\r\n".encode())
        if await self.wire.first_octet() == _TLS_HANDSHAKE:
            self._tells_of_tls_on_a_plain_port()
            return
        while True:
            self.wire.begin(self._service.for_a_command)
            try:
                await self._obey(await self.wire.line())
            except LineTooLong:
                self._wrong(replies.LINE_TOO_LONG)

    async def _obey(self, line: bytes) -> None:
        if line[-2:] != b"\r\n":
            self._hang_up(replies.BARE_LINE_FEED)
        command = line[:-2]
        if _CONTROL.search(command):
            self._wrong(replies.CONTROL_CHARACTERS)
            return
        verb, _, argument = command.partition(b" ")
        verb = verb.upper()
        act = _COMMANDS.get(verb)
        if act is None:
            if verb in _HTTP:
                self._hang_up(replies.NOT_HTTP)
            self._wrong(replies.UNKNOWN_COMMAND)
            return
        try:
            text = argument.decode()
        except UnicodeDecodeError:
            self._wrong(replies.NOT_UTF8)
            return
        await self._act(act, text.strip())

    async def _act(self, act: _Act, argument: str) -> None:
        try:
            await act(self, argument)
        except (Gone, Dismissed, Finished, LineTooLong):
            raise
        except Exception as error:
            if self.wire.stage == MESSAGE:  # where the message ends is no longer known
                raise
            self._report(error)
            self._say(reply_to(error))

    # --- Greetings and small talk -----------------------------------------------------------------

    async def smtp_HELO(self, argument: str) -> None:
        """RFC 5321 section 4.1.1.1; a missing name is forgiven, devices have none."""
        await self._hello(argument)
        self.wire.say(f"250 {self._service.hostname}\r\n".encode())

    async def smtp_EHLO(self, argument: str) -> None:
        """The same, with the extensions offered here."""
        await self._hello(argument)
        self.wire.say(self._extensions())

    async def smtp_NOOP(self, argument: str) -> None:
        self._chats()
        self.wire.say(replies.OK)

    async def smtp_RSET(self, argument: str) -> None:
        self._chats()
        await self._give_up()
        self.wire.say(replies.OK)

    async def smtp_VRFY(self, argument: str) -> None:
        self._chats()
        if argument:
            self.wire.say(replies.CANNOT_VRFY)
        else:
            self._wrong(replies.NEEDS_ARGUMENT)

    async def smtp_EXPN(self, argument: str) -> None:
        self._wrong(replies.NOT_IMPLEMENTED)

    async def smtp_HELP(self, argument: str) -> None:
        self._chats()
        self.wire.say(f"214 2.0.0 Commands: {_VERBS}\r\n".encode())

    async def smtp_QUIT(self, argument: str) -> None:
        self.wire.say(replies.GOODBYE)
        raise Finished

    async def _hello(self, argument: str) -> None:
        self._chats()
        await self._give_up()
        self._helo = argument[:_LONGEST_HELO]
        self._known_origin = None

    def _extensions(self) -> bytes:
        size = self._service.reception.size_limit(self._origin)
        besides = ""
        if self._door.listener.tls == "starttls" and self._tls is None:
            besides += "250-STARTTLS\r\n"
        if self._may_log_in() and self._login is None:
            besides += f"250-AUTH {' '.join(MECHANISMS)}\r\n"
        return (
            f"250-{self._service.hostname}\r\n"
            "250-PIPELINING\r\n"
            "250-8BITMIME\r\n"
            "250-SMTPUTF8\r\n"
            "250-ENHANCEDSTATUSCODES\r\n"
            "250-CHUNKING\r\n"
            "250-BINARYMIME\r\n"
            "250-DSN\r\n"
            f"250-SIZE {size}\r\n"
            f"250-LIMITS RCPTMAX={self._service.limits.max_recipients}\r\n"
            f"{besides}"
            "250 HELP\r\n"
        ).encode()

    # --- Endings ----------------------------------------------------------------------------------

    def _dismissed(self, reply: Reply) -> None:
        if reply is not replies.STOPPING:
            self._failed = True
            self._service.quiet.write(events.Refused(self._origin, self.wire.stage, str(reply)))
        self._say(reply)

    def _tell_transcript(self) -> None:
        if self._transcript is None or not self._failed:
            return
        listener, lines = self._door.listener.address, self._transcript.lines()
        self._journal.write(events.Transcript(client=self.client, listener=listener, lines=lines))
        ended = self._service.clock.now()
        self._service.transcripts.keep(
            FailedConversation(ended, self.client, listener, tuple(lines))
        )

    def _tells_of_tls_on_a_plain_port(self) -> None:
        self._failed = True
        self._service.quiet.write(
            events.Refused(
                self._origin,
                "CONNECT",
                "TLS handshake on a port that begins in clear",
                remedy="set the client to STARTTLS, or give it a listener with tls = implicit"
                if self._door.listener.tls == "starttls"
                else "set the client to no encryption, or give it a listener with tls = implicit",
            )
        )


_COMMANDS: Final[dict[bytes, _Act]] = {
    name.removeprefix("smtp_").encode(): getattr(Conversation, name)
    for name in dir(Conversation)
    if name.startswith("smtp_")
}
_VERBS: Final = b" ".join(sorted(_COMMANDS.keys() - {b"EXPN"})).decode()
