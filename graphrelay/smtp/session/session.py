"""What a session knows of its client, and the ways it has of answering.

    Connection ◁─ Session ◁─ SecureSession ◁─ MailSession ◁─ Conversation
    octets        who it is   STARTTLS, AUTH   MAIL … DATA    the door, the loop, small talk

What is always true here: a session has three kinds of no. `_wrong` is for a command that is wrong
by itself, `_refuse` for one that the rules forbid and an admin should hear of, `_hang_up` for what
is no mail client. Each costs patience, and a client that has used up its patience is sent away.
"""

from collections.abc import Callable
from typing import Final, Unpack

from graphrelay.journal import events
from graphrelay.model import Origin, Reply
from graphrelay.smtp.access.login import Login
from graphrelay.smtp.connection.buffer import Dismissed
from graphrelay.smtp.connection.protocol import Connection
from graphrelay.smtp.grammar import replies
from graphrelay.smtp.service import Door

_PATIENCE: Final = 1_000
"""What a client may get wrong until it is sent away: a wrong command counts 50, a refused
recipient 1. A message that is accepted settles it."""
_WRONG: Final = 50
_CHATTER: Final = 200
"""Commands that lead nowhere (NOOP, RSET, EHLO …) from one message to the next."""
SHOWN: Final = 300
"""Characters of what a client sent that go into the journal."""

Told = Callable[["Session"], None]


class Finished(Exception):  # noqa: N818 (not an error)
    """The conversation is over."""


class HungUp(Finished):
    """We ended it, and the client may be talking still."""


class Session(Connection):
    """The state of a conversation, but for its message."""

    client: str
    counted_as: str
    """What limits hold for: the client's address, or whose program it is at a Unix socket."""

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door
        self._service = door.service
        self._journal = door.service.journal
        self._helo: str | None = None
        self._login: Login | None = None
        self._tls: str | None = None
        self._known_origin: Origin | None = None
        self._patience = _PATIENCE
        self._chatter = 0
        self._failed = False

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
        self._say(reply)
        self._spend(_WRONG)

    def _refuse(self, stage: str, reply: Reply, **details: Unpack[events.RefusedDetails]) -> None:
        self._tell_refused(stage, str(reply), **details)
        self._wrong(reply)

    def _hang_up(self, reply: Reply) -> None:
        self._service.quiet.write(events.Refused(self._origin, "COMMAND", str(reply)))
        self._failed = True
        self._say(reply)
        raise HungUp

    def _tell_refused(
        self, stage: str, reply: str, **details: Unpack[events.RefusedDetails]
    ) -> None:
        self._failed = True
        self._journal.write(events.Refused(self._origin, stage, reply, **details))

    def _spend(self, cost: int) -> None:
        self._failed = True
        self._patience -= cost
        if self._patience <= 0:
            raise Dismissed(replies.TOO_MANY_ERRORS)

    def _chats(self) -> None:
        """A command that leads nowhere; some are fine."""
        self._chatter += 1
        if self._chatter > _CHATTER:
            raise Dismissed(replies.TOO_MUCH_CHATTER)

    def _earned_patience(self) -> None:
        """A message came of it."""
        self._patience = _PATIENCE
        self._chatter = 0

    def _report(self, error: Exception) -> None:
        """Trouble of our own; the client hears of it without a detail."""
        self._journal.write(
            events.SmtpTrouble(
                client=self.client,
                listener=self._door.listener.address,
                reason=f"{type(error).__name__}: {error}",
                next="the client was told to try again later",
            )
        )
