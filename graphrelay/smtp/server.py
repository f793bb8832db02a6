"""The SMTP server: opens the listeners, runs a conversation for each client, stops in order.

What is always true here: either all listeners are open or none is, and a `ListenError` says which
one was at fault; new rules are taken whole or not at all, and hold from the next client on; on
`stop` no new client comes in, a message that is being sent may end within the grace, and a message
that the reception is taking over is never interrupted.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from graphrelay.clock import Clock, timeout
from graphrelay.journal import Journal, events
from graphrelay.model import Reception
from graphrelay.smtp.access.admission import Gate, QuietJournal
from graphrelay.smtp.access.listener import (
    Limits,
    Listener,
    ListenError,
    Network,
    mistake,
    strangers_can_reach,
)
from graphrelay.smtp.access.login import Login, LoginBook
from graphrelay.smtp.access.tls import Certificate
from graphrelay.smtp.connection.transcript import Transcripts
from graphrelay.smtp.grammar.replies import STOPPING
from graphrelay.smtp.open_listener import Entrance
from graphrelay.smtp.service import (
    MESSAGE,
    Door,
    Service,
    patience_for_a_command,
    patience_for_a_message,
)
from graphrelay.smtp.session.conversation import Conversation

_LOOK_EVERY: Final = timedelta(seconds=1)
_LAST_PATIENCE: Final = timedelta(seconds=60)
"""For the conversations to end when they have been told to."""

_Place = tuple[str, int]
"""A listener's address, and how many before it had the same: port 0 may be asked for repeatedly."""


class Server:
    """All listeners of the relay."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        limits: Limits,
        hostname: str,
        logins: Sequence[Login],
        reception: Reception,
        journal: Journal,
        clock: Clock,
        *,
        transcribed: Sequence[Network] = (),
        transcripts: Transcripts | None = None,
    ) -> None:
        """`transcribed`: clients whose failed conversations are written into the journal, and the
        last of each into `transcripts`."""
        self._listeners = tuple(listeners)
        self._journal = journal
        self._clock = clock
        self._service = Service(
            hostname=hostname,
            limits=limits,
            logins=LoginBook(tuple(logins), clock),
            reception=reception,
            journal=journal,
            quiet=QuietJournal(journal, clock),
            clock=clock,
            gate=Gate(limits),
            transcribed=tuple(transcribed),
            transcripts=transcripts or Transcripts(),
            for_a_command=patience_for_a_command(limits),
            for_a_message=patience_for_a_message(limits),
        )
        self._entrances: dict[_Place, Entrance] = {}
        self._connections: set[Conversation] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, with the real ports; `localhost` may make two of one listener."""
        return tuple(address for one in self._entrances.values() for address in one.addresses)

    async def start(self) -> None:
        """Open all listeners, then serve. Raises `ListenError`."""
        await self._change(self._listeners, self._service)
        self._watch = asyncio.create_task(self._watch_the_slow(), name="smtp-patience")

    async def reload(
        self,
        listeners: Sequence[Listener],
        limits: Limits,
        hostname: str,
        logins: Sequence[Login],
        *,
        transcribed: Sequence[Network] = (),
    ) -> None:
        """Serve by new rules from the next client on; who is inside goes on by the old ones.

        Listeners of the same address keep their sockets. Raises `ListenError`, and then nothing
        has changed.
        """
        service = replace(
            self._service,
            hostname=hostname,
            limits=limits,
            transcribed=tuple(transcribed),
            logins=self._service.logins.with_logins(tuple(logins)),
            for_a_command=patience_for_a_command(limits),
            for_a_message=patience_for_a_message(limits),
        )
        await self._change(tuple(listeners), service)
        service.gate.limits = limits
        self._service = service

    async def stop(self, grace: timedelta = timedelta()) -> None:
        """Let nobody in, send all away with 421; who is sending a message may do so for `grace`."""
        self._stopping = True
        for entrance in self._entrances.values():
            entrance.close()
        for conversation in self._connections:
            conversation.wire.dismiss(STOPPING, spare=MESSAGE)
        await self._wait_for_conversations(grace)
        for conversation in self._connections:
            conversation.wire.dismiss(STOPPING)
        await self._wait_for_conversations(_LAST_PATIENCE)
        if self._tasks:
            self._journal.write(events.SmtpStoppedHard(conversations=len(self._tasks)))
        self._watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watch
        await self._drop_connections()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    # --- Listeners --------------------------------------------------------------------------------

    async def _change(self, listeners: tuple[Listener, ...], service: Service) -> None:
        """From the open listeners to these: first all that can fail, then all that cannot."""
        doors = self._doors(listeners, service)
        opened: dict[_Place, Entrance] = {}
        try:
            for place, door in doors.items():
                if place not in self._entrances:
                    opened[place] = Entrance(door, self._began, self._ended)
                    await opened[place].open()
        except BaseException:
            for entrance in opened.values():
                entrance.close()
            raise
        for place in self._entrances.keys() - doors.keys():
            self._entrances.pop(place).close()
        known = self._entrances | opened
        self._entrances = {place: known[place] for place in doors}
        for place, door in doors.items():
            self._entrances[place].door = door
        for entrance in opened.values():
            await entrance.serve()
            self._tell_of(entrance)

    def _doors(self, listeners: tuple[Listener, ...], service: Service) -> "dict[_Place, Door]":
        """In the order of the listeners. Raises `ListenError`."""
        doors: dict[_Place, Door] = {}
        for listener in listeners:
            again = sum(address == listener.address for address, _ in doors)
            if again and not listener.address.endswith(":0"):
                raise ListenError(f"{listener.address}: two listeners have this address")
            doors[listener.address, again] = self._door(listener, service)
        return doors

    def _door(self, listener: Listener, service: Service) -> Door:
        problem = mistake(listener) or strangers_can_reach(listener)
        if problem is not None:
            raise ListenError(problem)
        certificate = Certificate(listener, self._journal) if listener.tls != "off" else None
        return Door(listener, service, certificate)

    def _tell_of(self, entrance: Entrance) -> None:
        listener = entrance.door.listener
        for address in entrance.addresses:
            self._journal.write(
                events.Listening(address=address, tls=listener.tls, auth=listener.auth)
            )

    # --- Conversations ----------------------------------------------------------------------------

    def _began(self, conversation: Conversation) -> None:
        self._connections.add(conversation)
        if self._stopping:  # it was waiting to be taken in when the listeners closed
            conversation.wire.dismiss(STOPPING)
        task = asyncio.create_task(conversation.converse())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ended(self, conversation: Conversation) -> None:
        self._connections.discard(conversation)

    async def _watch_the_slow(self) -> None:
        while True:
            await self._clock.sleep(_LOOK_EVERY)
            for conversation in tuple(self._connections):
                try:
                    conversation.wire.check_patience()
                except Exception as error:  # a mistake of ours; the others are watched all the same
                    client, reason = conversation.client, repr(error)
                    self._journal.write(events.SmtpNotWatched(client=client, reason=reason))

    async def _wait_for_conversations(self, patience: timedelta) -> None:
        if not self._tasks:
            return
        with contextlib.suppress(TimeoutError):
            async with timeout(self._clock, patience):
                await asyncio.wait(tuple(self._tasks))

    async def _drop_connections(self) -> None:
        """Hang up on those who do not close their side."""
        for conversation in tuple(self._connections):
            conversation.wire.abort()
        for _ in range(100):
            if not self._connections:
                return
            await asyncio.sleep(0)
