"""The SMTP server: opens the listeners, runs a conversation for each client, stops in order.

What is always true here: either all listeners are open or none is, and a `ListenError` says which
one could not be opened. New rules take effect as a whole or not at all, from the next client on. On
`stop` no new client is let in, a message that is being sent may finish within the grace period, and
a message that the reception is accepting is never interrupted.
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
from graphrelay.smtp.access.tls import ListenerCertificate
from graphrelay.smtp.connection.transcript import Transcripts
from graphrelay.smtp.context import (
    MESSAGE,
    ListenerContext,
    ServerContext,
    patience_for_a_command,
    patience_for_a_message,
)
from graphrelay.smtp.grammar.replies import STOPPING
from graphrelay.smtp.open_listener import OpenListener
from graphrelay.smtp.session.conversation import Conversation

_LOOK_EVERY: Final = timedelta(seconds=1)
_LAST_PATIENCE: Final = timedelta(seconds=60)
"""How long conversations have to end after they were dismissed."""

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
        """`transcribed`: clients whose failed conversations are written to the journal, and the
        last one of each to `transcripts`."""
        self._listeners = tuple(listeners)
        self._journal = journal
        self._clock = clock
        self._context = ServerContext(
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
        self._open: dict[_Place, OpenListener] = {}
        self._connections: set[Conversation] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, with the real ports. A listener on `localhost` may have two."""
        return tuple(address for one in self._open.values() for address in one.addresses)

    async def start(self) -> None:
        """Open all listeners, then serve. Raises `ListenError`."""
        await self._change(self._listeners, self._context)
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
        """Serve by new rules from the next client on; connected clients keep the old ones.

        Listeners of the same address keep their sockets. Raises `ListenError`, and then nothing
        has changed.
        """
        context = replace(
            self._context,
            hostname=hostname,
            limits=limits,
            transcribed=tuple(transcribed),
            logins=self._context.logins.with_logins(tuple(logins)),
            for_a_command=patience_for_a_command(limits),
            for_a_message=patience_for_a_message(limits),
        )
        await self._change(tuple(listeners), context)
        context.gate.limits = limits
        self._context = context

    async def stop(self, grace: timedelta = timedelta()) -> None:
        """Accept no more clients, and dismiss all with 421: those sending a message after
        `grace`.
        """
        self._stopping = True
        for one in self._open.values():
            one.close()
        for conversation in self._connections:
            conversation.buffer.dismiss(STOPPING, spare=MESSAGE)
        await self._wait_for_conversations(grace)
        for conversation in self._connections:
            conversation.buffer.dismiss(STOPPING)
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

    # --- Listeners -------------------------------------------------------------------------------

    async def _change(self, listeners: tuple[Listener, ...], server: ServerContext) -> None:
        """From the open listeners to these: first all that can fail, then all that cannot."""
        contexts = self._contexts(listeners, server)
        new: dict[_Place, OpenListener] = {}
        try:
            for place, context in contexts.items():
                if place not in self._open:
                    new[place] = OpenListener(context, self._began, self._ended)
                    await new[place].open()
        except BaseException:
            for one in new.values():
                one.close()
            raise
        for place in self._open.keys() - contexts.keys():
            self._open.pop(place).close()
        known = self._open | new
        self._open = {place: known[place] for place in contexts}
        for place, context in contexts.items():
            self._open[place].context = context
        for one in new.values():
            one.serve()
            self._note_listening(one)

    def _contexts(
        self, listeners: tuple[Listener, ...], server: ServerContext
    ) -> "dict[_Place, ListenerContext]":
        """In the order of the listeners. Raises `ListenError`."""
        contexts: dict[_Place, ListenerContext] = {}
        for listener in listeners:
            again = sum(address == listener.address for address, _ in contexts)
            if again and not listener.address.endswith(":0"):
                raise ListenError(f"{listener.address}: two listeners have this address")
            contexts[listener.address, again] = self._context_of(listener, server)
        return contexts

    def _context_of(self, listener: Listener, server: ServerContext) -> ListenerContext:
        problem = mistake(listener) or strangers_can_reach(listener)
        if problem is not None:
            raise ListenError(problem)
        on = listener.tls != "off"
        certificate = ListenerCertificate(listener, self._journal) if on else None
        return ListenerContext(listener, server, certificate)

    def _note_listening(self, one: OpenListener) -> None:
        listener = one.context.listener
        for address in one.addresses:
            self._journal.write(
                events.Listening(address=address, tls=listener.tls, auth=listener.auth)
            )

    # --- Conversations ---------------------------------------------------------------------------

    def _began(self, conversation: Conversation) -> None:
        self._connections.add(conversation)
        if self._stopping:  # it was still in the backlog when the listeners closed
            conversation.buffer.dismiss(STOPPING)
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
                    conversation.buffer.check_patience()
                except Exception as error:  # a bug; the others are watched all the same
                    client, reason = conversation.session.client, repr(error)
                    self._journal.write(events.SmtpNotWatched(client=client, reason=reason))

    async def _wait_for_conversations(self, patience: timedelta) -> None:
        if not self._tasks:
            return
        with contextlib.suppress(TimeoutError):
            async with timeout(self._clock, patience):
                await asyncio.wait(tuple(self._tasks))

    async def _drop_connections(self) -> None:
        """Drop clients that do not close their side."""
        for conversation in tuple(self._connections):
            conversation.buffer.abort()
        for _ in range(100):
            if not self._connections:
                return
            await asyncio.sleep(0)
