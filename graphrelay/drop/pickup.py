"""Picks up the mail in the drop folder: at start, and every five seconds.

    look ──▶ open ──▶ drop_file.read ──▶ reception.sender, .recipient, .accept ──▶ delete
                │            │                      ├─ 4yz, no storage ──▶ left where it is
                └────────────┴─── 5yz, unsuitable ──┴──▶ refused/, and a line in the journal

What is always true here: a file is deleted only after the reception owns its message. If the relay
is killed between the two, the message is accepted again at the next start: that is the one point at
which a crash doubles it. Nothing that a file is or contains stops the pickup, and no problem is
reported twice.
"""

import asyncio
import contextlib
import os
import pwd
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from graphrelay.clock import Clock, timeout
from graphrelay.drop import drop_file
from graphrelay.drop.drop_file import DropFile, NotADropFile
from graphrelay.drop.folder import (
    DROP,
    REFUSED,
    DropFolder,
    OpenedFile,
    Unsuitable,
    Vanished,
)
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
"""The age at which an unfinished file is deleted: nobody is writing it any more."""
_PIECE: Final = 256 * 1024
_AT_A_TIME: Final = 100
"""Recipients checked before other tasks have a turn."""


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
        self._reported: dict[str, str] = {}
        self._taken: set[tuple[int, int]] = set()
        """Files whose messages are owned and that could not be deleted yet."""
        self._trouble = ""

    async def run(self) -> None:
        """Until `stop`."""
        try:
            await self._report_refused()
        except Exception as error:
            self._report_trouble(error)
        while not self._stopping.is_set():
            await self.look()
            await self._nap()

    def stop(self) -> None:
        """Begin no other file; `run` returns when the one in hand is finished."""
        self._stopping.set()

    async def look(self) -> None:
        """Once: pick up all that is there."""
        try:
            await self._sweep()
            names = await asyncio.to_thread(self._folder.waiting)
            for name in names:
                if self._stopping.is_set():
                    return
                await self._handle(name)
            self._trouble = ""
        except Exception as error:  # the next look may succeed
            self._report_trouble(error)
            return
        self._reported = {name: why for name, why in self._reported.items() if name in names}

    # --- One file ---------------------------------------------------------------------------------

    async def _handle(self, name: str) -> None:
        """Raises `StorageUnavailable` and `OSError` where other files would fail as well."""
        origin = self._origin(name, "")
        largest = drop_file.LONGEST_ENVELOPE + self._reception.size_limit(origin)
        found = await asyncio.to_thread(self._folder.open_file, name, largest)
        match found:
            case Vanished():
                return
            case Unsuitable(why):
                await self._set_aside(name, why, "")
            case OpenedFile():
                try:
                    if found.identity not in self._taken:
                        await self._read(found)
                    if found.identity in self._taken:
                        await self._delete(found)
                finally:
                    os.close(found.descriptor)

    async def _read(self, opened: OpenedFile) -> None:
        user = await asyncio.to_thread(_user, opened.owner)
        origin = self._origin(opened.name, user)
        try:
            answer = await self._offered(opened, origin)
        except StorageUnavailable:
            raise
        except Exception as error:  # one file must not stop the others
            self._report_once(opened.name, f"{type(error).__name__}: {error}", user)
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
            case NotADropFile(why):
                await self._set_aside(opened.name, why, user)
            case Reply(code) if code < 500:
                self._report_once(opened.name, str(answer), user)
            case Reply():
                await self._set_aside(opened.name, str(answer), user)

    async def _delete(self, opened: OpenedFile) -> None:
        """Delete a file whose message is owned. Until that succeeds the file stays in `_taken`: a
        disk that has become read-only must not make the message go out every five seconds."""
        await asyncio.to_thread(self._folder.delete, opened)
        self._taken.discard(opened.identity)
        await asyncio.to_thread(self._folder.sync)

    async def _offered(self, opened: OpenedFile, origin: Origin) -> Accepted | Reply | NotADropFile:
        beginning = await asyncio.to_thread(
            os.pread, opened.descriptor, drop_file.LONGEST_ENVELOPE, 0
        )
        found = await asyncio.to_thread(drop_file.read, beginning, opened.size)
        if not isinstance(found, DropFile):
            return found
        limit = self._reception.size_limit(origin)
        refusal = await self._refusal(found.envelope, origin)
        if refusal is None and found.size > limit:
            refusal = too_big(limit)
        return refusal or await self._accepted(opened, found, origin, limit)

    async def _refusal(self, envelope: Envelope, origin: Origin) -> Reply | None:
        """All recipients or none, as graphrelay-sendmail does it while the relay is running."""
        sender = envelope.reverse_path
        refusal = self._reception.sender(sender, origin)
        for number, recipient in enumerate(envelope.forward_paths):
            refusal = refusal or self._reception.recipient(recipient, sender, origin)
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
        return refusal

    async def _accepted(
        self, opened: OpenedFile, found: DropFile, origin: Origin, limit: int
    ) -> Accepted | Reply | NotADropFile:
        body = self._reception.incoming()
        answer: Accepted | Reply | NotADropFile | None = None
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
            self._report_once(name, f"{why}; and it cannot be moved: {error.strerror}", user)
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

    async def _report_refused(self) -> None:
        if kept := await asyncio.to_thread(self._folder.refused):
            self._journal.write(
                events.DropRefusedWaiting(files=kept, directory=str(self._folder.path / REFUSED))
            )

    async def _sweep(self) -> None:
        before = (self._clock.now() - ABANDONED).timestamp()
        for name in await asyncio.to_thread(self._folder.sweep, before):
            self._journal.write(events.DropUnfinished(file=_shown(name), next="deleted"))

    def _report_once(self, name: str, why: str, user: str) -> None:
        if self._reported.get(name) == why:
            return
        self._reported[name] = why
        self._journal.write(
            events.DropLeft(
                user=user or None,
                reason=why,
                file=_shown(name),
                next=f"it stays in {self._folder.path / DROP} and is tried again",
            )
        )

    def _report_trouble(self, error: Exception) -> None:
        reason = str(error) or repr(error)
        if self._trouble != reason:
            self._trouble = reason
            self._journal.write(
                events.DropTrouble(reason=reason, next="the drop folder is looked at again")
            )

    async def _nap(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with timeout(self._clock, LOOK_EVERY):
                await self._stopping.wait()


async def _copied(
    opened: OpenedFile, found: DropFile, body: IncomingBody, limit: int
) -> Reply | NotADropFile | None:
    """Read the message into `body`, with line ends converted as in DATA. `None`: all of it."""
    line_ends = LineEnds()
    async for piece in _pieces(opened.descriptor, found):
        if not piece:
            return NotADropFile("it changed while it was being read")
        octets = line_ends.feed(piece)
        if body.size + len(octets) > limit:
            return too_big(limit)
        await body.write(octets)
    await body.write(line_ends.end())
    return None


async def _pieces(descriptor: int, found: DropFile) -> AsyncIterator[bytes]:
    """In order; an empty one where the file ends too early."""
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
