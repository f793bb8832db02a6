"""MAIL, RCPT, DATA and BDAT: the transaction (RFC 5321 section 3.3, RFC 3030).

    MAIL ─▶ RCPT … ─▶ DATA or BDAT … ─▶ reception.accept ─▶ 250 queued as …

What is always true here: 250 to the data means that the reception owns the message. Once the client
has sent all of it, nothing that the client does can interrupt its acceptance. Before that, nothing
of it is kept when the client goes.
"""

from dataclasses import dataclass, field

from graphrelay.model import (
    Accepted,
    Address,
    DsnRequest,
    Envelope,
    IncomingBody,
    Origin,
    Reply,
    StorageUnavailable,
)
from graphrelay.smtp.connection.buffer import ClientGone, Dismissed
from graphrelay.smtp.grammar import replies
from graphrelay.smtp.grammar.arguments import ChunkSize, MailFrom, chunk_size, mail_from, rcpt_to
from graphrelay.smtp.grammar.data import BinaryLineEnds, LineEnds
from graphrelay.smtp.session.receive import Chunks, drop, receive, reply_to
from graphrelay.smtp.session.session import SHOWN, Session

_REFUSALS_NOTED = 20
"""Refused recipients of one message that are written to the journal one by one."""
_TINY = 512
"""Octets of a chunk below which it counts as small talk, like NOOP."""


@dataclass(slots=True)
class Transaction:
    """From MAIL to the end of the data."""

    origin: Origin
    """Nothing in it changes during a transaction: a login, TLS and a greeting end it."""
    reverse_path: Address | None
    limit: int
    """Octets that the message may have."""
    command: MailFrom
    recipients: dict[str, Address] = field(default_factory=dict)
    """By their key: a recipient that is named twice receives once."""
    dsn_requests: dict[str, DsnRequest] = field(default_factory=dict)
    """By the same key: which reports the sender asked for."""
    refused: int = 0
    chunks: Chunks | None = None
    """From the first BDAT on."""

    @property
    def sender(self) -> str:
        return str(self.reverse_path or "<>")

    def envelope(self) -> Envelope:
        return Envelope(
            self.reverse_path,
            tuple(self.recipients.values()),
            self.command.envelope_id,
            self.command.ret,
            tuple(self.dsn_requests.values()),
        )


class MailCommands:
    """The commands MAIL, RCPT, DATA and BDAT of one session, and its message under way."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._server = session.server
        self._buffer = session.buffer
        self._transaction: Transaction | None = None

    @property
    def under_way(self) -> bool:
        """Whether there was a MAIL, and the end of its message is still to come."""
        return self._transaction is not None

    async def mail(self, argument: str) -> None:
        """RFC 5321 section 4.1.1.2."""
        if self._session.helo is None:
            self._session.wrong(replies.HELO_FIRST)
        elif self._session.listener.auth == "required" and self._session.login is None:
            self._session.refuse("MAIL", replies.LOGIN_NEEDED)
        elif self._transaction is not None:
            self._session.wrong(replies.NESTED_MAIL)
        else:
            self._begin(argument)

    def _begin(self, argument: str) -> None:
        command = mail_from(argument)
        if isinstance(command, Reply):
            self._session.refuse("MAIL", command, sender=argument[:SHOWN])
            return
        origin = self._session.origin
        limit = self._server.reception.size_limit(origin)
        refusal = self._refusal_of_sender(command, origin, limit)
        if refusal is not None:
            sender = str(command.path or "<>")
            self._session.refuse("MAIL", refusal, sender=sender, size=command.size or None)
            return
        self._transaction = Transaction(origin, command.path, limit, command)
        self._session.say(replies.SENDER_OK)

    def _refusal_of_sender(self, command: MailFrom, origin: Origin, limit: int) -> Reply | None:
        if command.size > limit:
            return replies.too_big(limit)
        return self._server.reception.sender(command.path, origin)

    async def rcpt(self, argument: str) -> None:
        """RFC 5321 section 4.1.1.3."""
        transaction = self._transaction
        if transaction is None:
            self._session.wrong(replies.MAIL_FIRST)
        elif transaction.chunks is not None:
            self._session.wrong(replies.CHUNKS_UNDER_WAY)
        elif len(transaction.recipients) >= self._server.limits.max_recipients:
            self._refuse_recipient(transaction, argument, replies.TOO_MANY_RECIPIENTS)
        else:
            self._add(transaction, argument)

    def _add(self, transaction: Transaction, argument: str) -> None:
        command = rcpt_to(argument)
        if isinstance(command, Reply):
            self._refuse_recipient(transaction, argument, command)
            return
        refusal = self._server.reception.recipient(
            command.path, transaction.reverse_path, transaction.origin
        )
        if refusal is not None:
            self._refuse_recipient(transaction, str(command.path), refusal)
            return
        self._session.say(replies.RECIPIENT_OK)
        key = command.path.key
        if key in transaction.recipients:
            self._session.spend(1)  # or a client could repeat it without end
        else:
            transaction.recipients[key] = command.path
            if command.dsn:
                transaction.dsn_requests[key] = command.dsn

    def _refuse_recipient(self, transaction: Transaction, recipient: str, reply: Reply) -> None:
        transaction.refused += 1
        self._session.note_refused(
            *("RCPT", str(reply)),
            again=transaction.refused > _REFUSALS_NOTED,
            sender=transaction.sender,
            recipient=recipient[:SHOWN],
        )
        self._session.reply(reply)
        self._session.spend(1)

    # --- DATA -------------------------------------------------------------------------------------

    async def data(self, argument: str) -> None:
        """RFC 5321 section 4.1.1.4."""
        transaction = self._transaction
        refusal = _refusal_of_message(transaction)
        if transaction is None or refusal is not None:
            self._no_data(refusal or replies.MAIL_FIRST)
        elif transaction.chunks is not None:
            self._no_data(replies.CHUNKS_UNDER_WAY)
        elif argument:
            self._no_data(replies.NO_ARGUMENT)
        elif transaction.command.binary:  # RFC 3030 section 3
            self._no_data(replies.BINARY_BY_CHUNKS)
        elif (body := self._incoming()) is None:
            self._no_data(replies.STORAGE_UNAVAILABLE)
        else:
            await self._receive(transaction, body)

    def _no_data(self, refusal: Reply) -> None:
        if self._buffer.has_more:
            # A client that does not wait for 354 sends its message now, and its text must not
            # be taken for commands.
            self._session.hang_up(replies.SPOKE_AHEAD)
        self._session.wrong(refusal)

    def _incoming(self) -> IncomingBody | None:
        try:
            return self._server.reception.incoming()
        except StorageUnavailable as error:
            self._session.note_trouble(error)
            return None

    async def _receive(self, transaction: Transaction, body: IncomingBody) -> None:
        self._session.say(replies.SEND_DATA)
        self._buffer.begin(self._server.for_a_message)
        try:
            refusal = await receive(
                self._buffer, body, transaction.limit, self._session.note_trouble
            )
        except (ClientGone, Dismissed) as ended:
            await self._cut_short(transaction, body, ended)
            raise
        await self._settle(transaction, body, refusal)

    # --- BDAT -------------------------------------------------------------------------------------

    async def bdat(self, argument: str) -> None:
        """RFC 3030 section 2: the octets of a chunk follow at once, whatever the reply is."""
        command = chunk_size(argument)
        if isinstance(command, Reply):
            # How many octets follow is not known, so nothing after this can be trusted.
            self._session.hang_up(command)
            return
        self._buffer.begin(self._server.for_a_message)
        transaction = self._transaction
        refusal = _refusal_of_message(transaction)
        if transaction is None or refusal is not None:
            await self._buffer.skip(command.octets)
            self._session.wrong(refusal or replies.MAIL_FIRST)
        else:
            await self._chunk(transaction, command)

    async def _chunk(self, transaction: Transaction, command: ChunkSize) -> None:
        if command.octets < _TINY and not command.last:
            self._session.small_talk()
        chunks = transaction.chunks = transaction.chunks or self._chunks(transaction)
        if chunks is None:
            await self._buffer.skip(command.octets)
            self._session.reply(replies.STORAGE_UNAVAILABLE)
            return
        try:
            refusal = await chunks.receive(self._buffer, command.octets, last=command.last)
        except (ClientGone, Dismissed) as ended:
            await self._cut_short(transaction, chunks.body, ended)
            raise
        if command.last:
            await self._settle(transaction, chunks.body, refusal)
        elif refusal is not None:
            self._session.reply(refusal)
        else:
            self._session.say(replies.CHUNK_OK)

    def _chunks(self, transaction: Transaction) -> Chunks | None:
        body = self._incoming()
        if body is None:
            return None
        line_ends = BinaryLineEnds() if transaction.command.binary else LineEnds()
        return Chunks(body, transaction.limit, line_ends, self._session.note_trouble)

    # --- The end of the data ----------------------------------------------------------------------

    async def _settle(
        self, transaction: Transaction, body: IncomingBody, refusal: Reply | None
    ) -> None:
        self._transaction = None
        answer = refusal or await self._accepted(transaction, body)
        if isinstance(answer, Accepted):
            self._session.restore_patience()
            self._session.say(f"250 2.0.0 Ok: queued as {answer.queue_id}\r\n".encode())
            return
        await drop(body, self._session.note_trouble)
        self._session.note_refused("DATA", str(answer), sender=transaction.sender)
        self._session.reply(answer)

    async def _accepted(self, transaction: Transaction, body: IncomingBody) -> Accepted | Reply:
        """Hand the message over; nothing that the client does can interrupt it."""
        reception, envelope = self._server.reception, transaction.envelope()
        try:
            return await reception.accept(envelope, transaction.origin, body)
        except Exception as error:
            self._session.note_trouble(error)
            return reply_to(error)

    async def _cut_short(
        self, transaction: Transaction, body: IncomingBody, ended: Exception
    ) -> None:
        await drop(body, self._session.note_trouble)
        why = str(ended) or "the client hung up before the end of the message"
        self._session.note_refused("DATA", why, sender=transaction.sender)

    async def give_up(self) -> None:
        """Forget the message under way (RSET, EHLO, or the client is gone)."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None and transaction.chunks is not None:
            await drop(transaction.chunks.body, self._session.note_trouble)


def _refusal_of_message(transaction: Transaction | None) -> Reply | None:
    if transaction is None:
        return replies.MAIL_FIRST
    if not transaction.recipients:
        return replies.NO_VALID_RECIPIENTS if transaction.refused else replies.RCPT_FIRST
    return None
