"""One client's conversation: commands in, replies out, messages to the reception.

    greeting ─▶ EHLO/HELO ─▶ [STARTTLS] ─▶ [AUTH] ─▶ MAIL ─▶ RCPT … ─▶ DATA ─▶ 250 queued as …
                                                      ▲                          │
                                                      └──────────────────────────┘

What is always true here: 250 to the data means that the reception owns the message; whatever goes
wrong on our side becomes a 4yz reply and a line in the journal, never a traceback on the wire and
never a lost conversation; and a client that is gone stops nothing that it has ordered in full.
"""

# ruff: noqa: N802 (the names of the commands are aiosmtpd's)

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, cast

from graphrelay.model import (
    Accepted,
    Address,
    Envelope,
    IncomingBody,
    Origin,
    Reply,
    StorageUnavailable,
)
from graphrelay.smtp import replies
from graphrelay.smtp.admission import LOCAL, client_address, may_connect
from graphrelay.smtp.connection import Connection
from graphrelay.smtp.login import LockedOut, Login, WrongPassword
from graphrelay.smtp.message import drop, receive, reply_to
from graphrelay.smtp.path import mail_from, rcpt_to
from graphrelay.smtp.sasl import MECHANISMS, credentials
from graphrelay.smtp.service import MESSAGE, Door
from graphrelay.smtp.wire import Dismissed, Gone, LineTooLong, Wire

_TLS_HANDSHAKE: Final = 0x16
"""The first octet of a TLS ClientHello (RFC 8446 section 5.1)."""
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HTTP: Final = frozenset(
    b"GET POST PUT HEAD OPTIONS DELETE PATCH CONNECT TRACE PRI".split()  # PRI opens HTTP/2
)
_PATIENCE: Final = 1_000
"""What a client may get wrong until it is sent away: a wrong command counts 50, a refused
recipient 1. A message that is accepted settles it."""
_WRONG: Final = 50
_CHATTER: Final = 200
"""Commands that lead nowhere (NOOP, RSET, EHLO …) from one message to the next."""
_TLS_HANDSHAKE_TIME: Final = timedelta(seconds=30)
_LONGEST_HELO: Final = 255
_REFUSALS_TOLD: Final = 20
"""Refused recipients of one message that are written into the journal one by one."""
_SHOWN: Final = 300
"""Characters of what a client sent that go into the journal."""

_Act = Callable[["Conversation", str], Awaitable[None]]
_Told = Callable[["Conversation"], None]


class Finished(Exception):  # noqa: N818 (not an error)
    """The conversation is over and hangs up."""


@dataclass(slots=True)
class Transaction:
    """From MAIL to the end of the data (RFC 5321 section 3.3)."""

    reverse_path: Address | None
    recipients: dict[str, Address] = field(default_factory=dict)
    """By their key: one who is named twice receives once."""
    refused: int = 0

    def envelope(self) -> Envelope:
        return Envelope(self.reverse_path, tuple(self.recipients.values()))


class Conversation(Connection):
    """One client's session on the protocol of aiosmtpd: a method `smtp_VERB` for each command."""

    def __init__(self, door: Door, began: _Told, ended: _Told) -> None:
        super().__init__()
        self._door = door
        self._began = began
        self._ended = ended
        self._service = door.service
        self._journal = door.service.journal
        self._helo: str | None = None
        self._login: Login | None = None
        self._tls: str | None = None
        self._transaction: Transaction | None = None
        self._known_origin: Origin | None = None
        self._patience = _PATIENCE
        self._chatter = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        service = self._service
        stream = cast(asyncio.Transport, transport)
        self.client = client_address(stream.get_extra_info("peername"))
        self.wire = Wire(stream, service.clock.monotonic, service.for_a_command)
        self._began(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._ended(self)

    # --- The conversation ------------------------------------------------------------------------

    async def converse(self) -> None:
        """From the greeting to the end. Raises nothing."""
        try:
            await self._admitted()
        except (Gone, Finished):
            pass
        except Dismissed as dismissed:
            self._dismissed(dismissed.reply)
        except Exception as error:
            self._report(error)
            self._say(replies.INTERNAL_ERROR)
        finally:
            self.wire.close()

    async def _admitted(self) -> None:
        refusal = self._refusal_at_the_door()
        if refusal is not None:
            self._service.quiet.refused(self._origin, "CONNECT", str(refusal))
            if self._door.listener.tls != "implicit":
                self._say(refusal)
            return
        try:
            await self._greeted()
        finally:
            self._service.gate.leave(self.client)

    def _refusal_at_the_door(self) -> Reply | None:
        if not may_connect(self.client, self._door.listener.allow_from):
            return replies.not_allowed(self.client)
        return self._service.gate.enter(self.client)

    async def _greeted(self) -> None:
        if self._door.listener.tls == "implicit":
            await self._start_tls()
        self.wire.say(f"220 {self._service.hostname} ESMTP graphrelay\r\n".encode())
        if await self.wire.first_octet() == _TLS_HANDSHAKE:
            self._tells_of_tls_on_a_plain_port()
            return
        while True:
            self.wire.begin(self._service.for_a_command)
            try:
                line = await self.wire.line()
            except LineTooLong:
                self._wrong(replies.LINE_TOO_LONG)
                continue
            await self._obey(line)

    async def _obey(self, line: bytes) -> None:
        command = line[:-2]
        if line[-2:] != b"\r\n":
            self._hang_up(replies.BARE_LINE_FEED)
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
            self._report(error)
            self._say(reply_to(error))
            if self.wire.stage == MESSAGE:  # where the message ends is no longer known
                raise Finished from error

    # --- Greetings and what leads nowhere ---------------------------------------------------------

    async def smtp_HELO(self, argument: str) -> None:
        """RFC 5321 section 4.1.1.1; a missing name is forgiven, devices have none."""
        self._hello(argument)
        self.wire.say(f"250 {self._service.hostname}\r\n".encode())

    async def smtp_EHLO(self, argument: str) -> None:
        """The same, with the extensions offered here."""
        self._hello(argument)
        self.wire.say(self._extensions())

    async def smtp_NOOP(self, argument: str) -> None:
        self._chats()
        self.wire.say(replies.OK)

    async def smtp_RSET(self, argument: str) -> None:
        self._chats()
        self._transaction = None
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

    def _hello(self, argument: str) -> None:
        self._chats()
        self._transaction = None
        self._helo = argument[:_LONGEST_HELO]
        self._known_origin = None

    def _extensions(self) -> bytes:
        lines = [
            self._service.hostname,
            "PIPELINING",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
        ]
        lines.append(f"SIZE {self._service.reception.size_limit(self._origin)}")
        if self._door.listener.tls == "starttls" and self._tls is None:
            lines.append("STARTTLS")
        if self._may_log_in() and self._login is None:
            lines.append(f"AUTH {' '.join(MECHANISMS)}")
        lines.append("HELP")
        first = "".join(f"250-{line}\r\n" for line in lines[:-1])
        return f"{first}250 {lines[-1]}\r\n".encode()

    # --- TLS and login ----------------------------------------------------------------------------

    async def smtp_STARTTLS(self, argument: str) -> None:
        """RFC 3207; what was sent ahead of the handshake ends the conversation."""
        if self._door.listener.tls != "starttls":
            self._wrong(replies.NO_TLS_HERE)
        elif self._tls is not None:
            self._wrong(replies.ALREADY_TLS)
        elif argument:
            self._wrong(replies.NO_ARGUMENT)
        elif self.wire.has_more:
            self._hang_up(replies.AHEAD_OF_TLS)
        else:
            self.wire.say(replies.READY_FOR_TLS)
            await self._start_tls()

    async def _start_tls(self) -> None:
        certificate = self._door.certificate
        assert certificate is not None  # noqa: S101 (the server reads it before it listens)
        self._is_tls = True
        try:
            self._tls = await self.wire.start_tls(self, certificate.context(), _TLS_HANDSHAKE_TIME)
        except OSError as error:
            self._service.quiet.refused(
                self._origin, "TLS", "the TLS handshake failed", reason=_tls_reason(error)
            )
            raise Finished from error
        self._helo = self._login = self._transaction = self._known_origin = None

    async def smtp_AUTH(self, argument: str) -> None:
        """RFC 4954, after HELO too."""
        if (refusal := self._refusal_of_login(argument)) is not None:
            self._wrong(refusal)
            return
        claim = await credentials(argument, self._ask)
        if isinstance(claim, Reply):
            self._wrong(claim)
            return
        verdict = await self._service.logins.check(self.client, claim.name, claim.password)
        match verdict:
            case Login():
                self._login = verdict
                self._known_origin = None
                self.wire.say(replies.LOGGED_IN)
            case WrongPassword():
                self._journal.refused(
                    self._origin, "AUTH", str(replies.WRONG_PASSWORD), login=claim.name
                )
                self._wrong(replies.WRONG_PASSWORD)
            case LockedOut(remaining):
                refusal = replies.locked_out(round(remaining.total_seconds()) + 1)
                self._service.quiet.refused(
                    self._origin, "AUTH", "too many wrong passwords", login=claim.name
                )
                self._wrong(refusal)

    def _refusal_of_login(self, argument: str) -> Reply | None:
        if self._helo is None:
            return replies.HELO_FIRST
        if self._door.listener.auth == "off":
            return replies.NO_LOGIN_HERE
        if not self._may_log_in():
            return replies.TLS_BEFORE_LOGIN
        if self._login is not None:
            return replies.ALREADY_LOGGED_IN
        if self._transaction is not None:
            return replies.NOT_NOW
        return None if argument else replies.NEEDS_ARGUMENT

    def _may_log_in(self) -> bool:
        """A password crosses the wire in TLS, on this machine, or where the admin says so."""
        listener = self._door.listener
        return listener.auth != "off" and (
            self._tls is not None or listener.auth_in_clear or _is_this_machine(self.client)
        )

    async def _ask(self, challenge: bytes) -> bytes:
        self.wire.say(b"334 " + challenge + b"\r\n")
        return (await self.wire.line()).rstrip(b"\r\n")

    # --- A message --------------------------------------------------------------------------------

    async def smtp_MAIL(self, argument: str) -> None:
        """RFC 5321 section 4.1.1.2."""
        if self._helo is None:
            self._wrong(replies.HELO_FIRST)
        elif self._door.listener.auth == "required" and self._login is None:
            self._refuse("MAIL", replies.LOGIN_NEEDED)
        elif self._transaction is not None:
            self._wrong(replies.NESTED_MAIL)
        else:
            self._mail(argument)

    def _mail(self, argument: str) -> None:
        asked = mail_from(argument)
        if isinstance(asked, Reply):
            self._refuse("MAIL", asked, sender=argument[:_SHOWN])
            return
        refusal = self._refusal_of_sender(asked.path, asked.size)
        if refusal is not None:
            self._refuse("MAIL", refusal, sender=str(asked.path or "<>"), size=asked.size or None)
            return
        self._transaction = Transaction(asked.path)
        self.wire.say(replies.SENDER_OK)

    def _refusal_of_sender(self, path: Address | None, size: int) -> Reply | None:
        limit = self._service.reception.size_limit(self._origin)
        if size > limit:
            return replies.too_big(limit)
        if self._login and path and not self._login.may_send_as(str(path)):
            return replies.sender_not_yours(self._login.name, str(path))
        return self._service.reception.sender(path, self._origin)

    async def smtp_RCPT(self, argument: str) -> None:
        """RFC 5321 section 4.1.1.3."""
        transaction = self._transaction
        if transaction is None:
            self._wrong(replies.MAIL_FIRST)
        elif len(transaction.recipients) >= self._service.limits.max_recipients:
            self._refuse_recipient(transaction, argument, replies.TOO_MANY_RECIPIENTS)
        else:
            self._rcpt(transaction, argument)

    def _rcpt(self, transaction: Transaction, argument: str) -> None:
        asked = rcpt_to(argument)
        if isinstance(asked, Reply):
            self._refuse_recipient(transaction, argument, asked)
            return
        refusal = self._service.reception.recipient(
            asked.path, transaction.reverse_path, self._origin
        )
        if refusal is not None:
            self._refuse_recipient(transaction, str(asked.path), refusal)
            return
        transaction.recipients.setdefault(asked.path.key, asked.path)
        self.wire.say(replies.RECIPIENT_OK)

    def _refuse_recipient(self, transaction: Transaction, recipient: str, reply: Reply) -> None:
        transaction.refused += 1
        if transaction.refused <= _REFUSALS_TOLD:
            self._tell_refused(
                "RCPT", str(reply), sender=_shown(transaction), recipient=recipient[:_SHOWN]
            )
        self._say(reply)
        self._spend(1)

    async def smtp_DATA(self, argument: str) -> None:
        """RFC 5321 section 4.1.1.4."""
        transaction = self._transaction
        if transaction is None or argument or not transaction.recipients:
            self._no_data(_refusal_of_data(transaction))
            return
        try:
            body = self._service.reception.incoming()
        except StorageUnavailable as error:
            self._report(error)
            self._no_data(replies.STORAGE_UNAVAILABLE)
            return
        try:
            await self._data(transaction, body)
        except (Gone, Dismissed) as ended:
            await drop(body, self._report)
            why = "the client hung up before the end of the message"
            self._tell_refused("DATA", str(ended) or why, sender=_shown(transaction))
            raise

    def _no_data(self, refusal: Reply) -> None:
        if self.wire.has_more:
            # A client that does not wait for 354 sends its message now, and what that message
            # says is not to be taken for commands.
            self._hang_up(replies.SPOKE_AHEAD)
        self._wrong(refusal)

    async def _data(self, transaction: Transaction, body: IncomingBody) -> None:
        limit = self._service.reception.size_limit(self._origin)
        self.wire.say(replies.SEND_DATA)
        self.wire.begin(self._service.for_a_message)
        answer: Accepted | Reply | None = await receive(self.wire, body, limit, self._report)
        self._transaction = None
        if answer is None:
            answer = await self._accepted(transaction.envelope(), body)
        if isinstance(answer, Accepted):
            self._patience = _PATIENCE
            self._chatter = 0
            self.wire.say(f"250 2.0.0 Ok: queued as {answer.queue_id}\r\n".encode())
            return
        await drop(body, self._report)
        self._tell_refused("DATA", str(answer), sender=_shown(transaction))
        self._say(answer)

    async def _accepted(self, envelope: Envelope, body: IncomingBody) -> Accepted | Reply:
        """Hand the message over; nothing that the client does can interrupt it."""
        try:
            return await self._service.reception.accept(envelope, self._origin, body)
        except Exception as error:
            self._report(error)
            return reply_to(error)

    # --- What we say and tell ---------------------------------------------------------------------

    @property
    def _origin(self) -> Origin:
        if self._known_origin is None:
            self._known_origin = Origin(
                listener=self._door.listener.address,
                client=self.client,
                helo=self._helo or "",
                login=self._login.name if self._login else None,
                tls=self._tls,
            )
        return self._known_origin

    def _say(self, reply: Reply) -> None:
        self.wire.say(replies.octets(reply))

    def _wrong(self, reply: Reply) -> None:
        """A command that is wrong by itself."""
        self._say(reply)
        self._spend(_WRONG)

    def _refuse(self, stage: str, reply: Reply, **more: str | int | None) -> None:
        """A command that the rules forbid."""
        self._tell_refused(stage, str(reply), **more)
        self._wrong(reply)

    def _tell_refused(self, stage: str, reply: str, **more: str | int | None) -> None:
        self._journal.refused(self._origin, stage, reply, **more)

    def _hang_up(self, reply: Reply) -> None:
        self._service.quiet.refused(self._origin, "COMMAND", str(reply))
        self._say(reply)
        raise Finished

    def _spend(self, cost: int) -> None:
        self._patience -= cost
        if self._patience <= 0:
            raise Dismissed(replies.TOO_MANY_ERRORS)

    def _chats(self) -> None:
        self._chatter += 1
        if self._chatter > _CHATTER:
            raise Dismissed(replies.TOO_MUCH_CHATTER)

    def _dismissed(self, reply: Reply) -> None:
        if reply is not replies.STOPPING:
            self._service.quiet.refused(self._origin, self.wire.stage, str(reply))
        self._say(reply)

    def _tells_of_tls_on_a_plain_port(self) -> None:
        listener = self._door.listener
        wanted = (
            'set the client to STARTTLS, or add a listener with tls = "implicit" (port 465)'
            if listener.tls == "starttls"
            else 'set the client to no encryption, or add a listener with tls = "implicit"'
        )
        self._service.quiet.refused(
            self._origin, "CONNECT", "TLS handshake on a port that begins in clear", remedy=wanted
        )

    def _report(self, error: Exception) -> None:
        self._journal.error(
            "smtp-trouble",
            client=self.client,
            listener=self._door.listener.address,
            reason=f"{type(error).__name__}: {error}",
            next="the client was told to try again later",
        )


_COMMANDS: Final[dict[bytes, _Act]] = {
    name.removeprefix("smtp_").encode(): getattr(Conversation, name)
    for name in dir(Conversation)
    if name.startswith("smtp_")
}
_VERBS: Final = b" ".join(sorted(_COMMANDS.keys() - {b"EXPN"})).decode()


def _refusal_of_data(transaction: Transaction | None) -> Reply:
    if transaction is None:
        return replies.MAIL_FIRST
    if not transaction.recipients:
        return replies.NO_VALID_RECIPIENTS if transaction.refused else replies.RCPT_FIRST
    return replies.NO_ARGUMENT


def _shown(transaction: Transaction) -> str:
    return str(transaction.reverse_path or "<>")


def _is_this_machine(client: str) -> bool:
    return client == LOCAL or ipaddress.ip_address(client).is_loopback


def _tls_reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error or type(error).__name__)
