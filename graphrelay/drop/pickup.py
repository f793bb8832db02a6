"""Takes the mail out of the drop folder: at start, and every few seconds.

    look ──▶ open ──▶ letter.read ──▶ reception.sender, .recipient, .accept ──▶ delete
                │            │                     ├─ 4yz, no storage ──▶ left where it is
                └────────────┴──── 5yz, strange ───┴──▶ refused/, and a line in the journal

What is always true here: a file goes only after the reception owns its message. If the relay dies
between the two, the message is taken again at the next start: that is the one crash point at which
it doubles. Nothing that a file is or says stops the pickup, and none is told of twice.
"""

import asyncio
import contextlib
import os
import pwd
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from graphrelay.clock import Clock, timeout
from graphrelay.drop import letter
from graphrelay.drop.folder import DROP, REFUSED, DropFolder, Gone, Opened, Strange
from graphrelay.drop.letter import Letter, NoLetter
from graphrelay.journal import Journal, events
from graphrelay.model import (
    Accepted,
    Envelope,
    IncomingBody,
    Origin,
    Reception,
    Reply,
    StorageUnavailable,
)
from graphrelay.smtp.grammar.data import LineEnds
from graphrelay.smtp.grammar.replies import too_big

LOOK_EVERY: Final = timedelta(seconds=5)
ABANDONED: Final = timedelta(days=2)
"""After this, what somebody began to write will not be finished."""
_PIECE: Final = 256 * 1024
_AT_A_TIME: Final = 100
"""Recipients looked at before everybody else has a turn."""


class Pickup:
    """One relay's reader of one drop folder."""

    def __init__(
        self,
        folder: DropFolder,
        reception: Reception,
        listener: str,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._reception = reception
        self._listener = listener
        self._journal = journal
        self._clock = clock
        self._stopping = asyncio.Event()
        self._told: dict[str, str] = {}
        self._taken: set[tuple[int, int]] = set()
        """Files whose messages are owned and that could not be deleted."""
        self._in_trouble = ""

    async def run(self) -> None:
        """Until `stop`."""
        try:
            await self._tell_refused()
        except Exception as error:
            self._tell_trouble(error)
        while not self._stopping.is_set():
            await self.look()
            await self._nap()

    def stop(self) -> None:
        """Begin no other file; `run` returns when the one in hand is finished."""
        self._stopping.set()

    async def look(self) -> None:
        """Once: take all that is there."""
        try:
            await self._sweep()
            names = await asyncio.to_thread(self._folder.waiting)
            for name in names:
                if self._stopping.is_set():
                    return
                await self._handle(name)
            self._in_trouble = ""
        except Exception as error:  # a disk's, or a mistake of ours: the next look may fare better
            self._tell_trouble(error)
            return
        self._told = {name: why for name, why in self._told.items() if name in names}

    # --- One file ---------------------------------------------------------------------------------

    async def _handle(self, name: str) -> None:
        """Raises `StorageUnavailable` and `OSError` where others would fare no better."""
        origin = self._origin(name, "")
        largest = letter.LONGEST_ENVELOPE + self._reception.size_limit(origin)
        found = await asyncio.to_thread(self._folder.open_file, name, largest)
        match found:
            case Gone():
                return
            case Strange(why):
                await self._set_aside(name, why, "")
            case Opened():
                try:
                    if found.identity not in self._taken:
                        await self._read(found)
                    if found.identity in self._taken:
                        await self._delete(found)
                finally:
                    os.close(found.descriptor)

    async def _read(self, opened: Opened) -> None:
        user = await asyncio.to_thread(_user, opened.owner)
        origin = self._origin(opened.name, user)
        try:
            answer = await self._offered(opened, origin)
        except StorageUnavailable:
            raise
        except Exception as error:  # whatever one file brings about, the others are to be taken
            self._tell_once(opened.name, f"{type(error).__name__}: {error}", user)
            return
        match answer:
            case Accepted(queue_id):
                self._taken.add(opened.identity)
                age = self._clock.now().timestamp() - opened.written
                self._journal.write(
                    events.DropTaken(
                        queue_id=queue_id,
                        user=user,
                        file=opened.name,
                        waited=max(0, round(age)),
                    )
                )
            case NoLetter(why):
                await self._set_aside(opened.name, why, user)
            case Reply(code) if code < 500:
                self._tell_once(opened.name, str(answer), user)
            case Reply():
                await self._set_aside(opened.name, str(answer), user)

    async def _delete(self, opened: Opened) -> None:
        """As soon as its message is owned; until that succeeds it is known as taken, since a disk
        that lets nothing be deleted must not make a message go out every few seconds."""
        await asyncio.to_thread(self._folder.delete, opened)
        self._taken.discard(opened.identity)
        await asyncio.to_thread(self._folder.sync)

    async def _offered(self, opened: Opened, origin: Origin) -> Accepted | Reply | NoLetter:
        beginning = await asyncio.to_thread(os.pread, opened.descriptor, letter.LONGEST_ENVELOPE, 0)
        found = await asyncio.to_thread(letter.read, beginning, opened.size)
        if not isinstance(found, Letter):
            return found
        limit = self._reception.size_limit(origin)
        refusal = await self._refusal(found.envelope, origin)
        if refusal is None and found.size > limit:
            refusal = too_big(limit)
        return refusal or await self._accepted(opened, found, origin, limit)

    async def _refusal(self, envelope: Envelope, origin: Origin) -> Reply | None:
        """All or nothing, as with graphrelay-sendmail while the relay is there."""
        sender = envelope.reverse_path
        refusal = self._reception.sender(sender, origin)
        for number, recipient in enumerate(envelope.forward_paths):
            refusal = refusal or self._reception.recipient(recipient, sender, origin)
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
        return refusal

    async def _accepted(
        self, opened: Opened, found: Letter, origin: Origin, limit: int
    ) -> Accepted | Reply | NoLetter:
        body = self._reception.incoming()
        answer: Accepted | Reply | NoLetter | None = None
        try:
            answer = await _copied(opened, found, body, limit)
            if answer is None:
                answer = await self._reception.accept(found.envelope, origin, body)
            return answer
        finally:
            if not isinstance(answer, Accepted):
                await body.discard()

    async def _set_aside(self, name: str, why: str, user: str) -> None:
        try:
            kept = await asyncio.to_thread(self._folder.set_aside, name)
        except FileNotFoundError:
            return
        except OSError as error:
            self._tell_once(name, f"{why}; and it cannot be moved: {error.strerror}", user)
            return
        self._journal.write(
            events.DropRefused(
                user=user or None,
                reason=why,
                file=_shown(name),
                kept=str(self._folder.path / REFUSED / kept),
            )
        )

    # --- Everything else --------------------------------------------------------------------------

    def _origin(self, name: str, user: str) -> Origin:
        return Origin(listener=self._listener, client=f"unix:{user}", helo=_shown(name))

    async def _tell_refused(self) -> None:
        if kept := await asyncio.to_thread(self._folder.refused):
            self._journal.write(
                events.DropRefusedWaiting(files=kept, directory=str(self._folder.path / REFUSED))
            )

    async def _sweep(self) -> None:
        before = (self._clock.now() - ABANDONED).timestamp()
        for name in await asyncio.to_thread(self._folder.sweep, before):
            self._journal.write(events.DropUnfinished(file=_shown(name), next="deleted"))

    def _tell_once(self, name: str, why: str, user: str) -> None:
        if self._told.get(name) == why:
            return
        self._told[name] = why
        self._journal.write(
            events.DropLeft(
                user=user or None,
                reason=why,
                file=_shown(name),
                next=f"it stays in {self._folder.path / DROP} and is tried again",
            )
        )

    def _tell_trouble(self, error: Exception) -> None:
        reason = str(error) or repr(error)
        if self._in_trouble != reason:
            self._in_trouble = reason
            self._journal.write(events.DropTrouble(reason=reason, next="tried again"))

    async def _nap(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with timeout(self._clock, LOOK_EVERY):
                await self._stopping.wait()


async def _copied(
    opened: Opened, found: Letter, body: IncomingBody, limit: int
) -> Reply | NoLetter | None:
    """Read the message into `body`, with line ends mended as from the wire; `None`: all of it."""
    line_ends = LineEnds()
    async for piece in _pieces(opened.descriptor, found):
        if not piece:
            return NoLetter("it changed while it was read")
        octets = line_ends.feed(piece)
        if body.size + len(octets) > limit:
            return too_big(limit)
        await body.write(octets)
    await body.write(line_ends.end())
    return None


async def _pieces(descriptor: int, found: Letter) -> AsyncIterator[bytes]:
    """An empty one where the file ends too soon."""
    at, end = found.start, found.start + found.size
    while at < end:
        piece = await asyncio.to_thread(os.pread, descriptor, min(_PIECE, end - at), at)
        yield piece
        at += len(piece)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _shown(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()[:200]
