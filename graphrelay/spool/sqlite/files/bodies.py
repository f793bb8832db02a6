"""The octets of messages while they arrive, and large bodies for as long as they are kept.

    memory ──▶ up to `inline_limit` ──▶ a database row
       └─────▶ beyond: bodies/<name> ──▶ write … fsync, fsync directory, and only then the row

A body file is created under its final name; it belongs to the spool once a committed row names it,
and is garbage otherwise. Nothing here blocks the event loop: files are written in large pieces by a
few threads of the folder.
"""

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from graphrelay.clock import Clock
from graphrelay.durations import STORAGE, Durations
from graphrelay.model import StorageUnavailable
from graphrelay.spool.sqlite.errors import translated
from graphrelay.spool.sqlite.files.disk import Disk
from graphrelay.spool.sqlite.files.free_space import Room
from graphrelay.threads import all_started

T = TypeVar("T")

PIECE = 256 * 1024
THREADS = 4
SUFFIX = ".body"


@dataclass(frozen=True, slots=True)
class Kept:
    """A small body that is in memory until it is in its row."""

    octets: bytes

    @property
    def size(self) -> int:
        return len(self.octets)


@dataclass(frozen=True, slots=True)
class Filed:
    """A large body, synced: its name in the folder."""

    name: str
    size: int


Stored = Kept | Filed


@dataclass(frozen=True, slots=True)
class FileBody:
    """model.Body: a large body in a file beside the database."""

    path: Path
    size: int

    def read(self, start: int, end: int) -> bytes:
        try:
            with self.path.open("rb", 0) as opened:
                octets = os.pread(opened.fileno(), end - start, start)
        except OSError as error:
            raise StorageUnavailable(f"cannot read {self.path}: {error.strerror}") from error
        if len(octets) < min(end, self.size) - start:
            raise StorageUnavailable(f"{self.path} is shorter than it was")
        return octets


class BodyFolder:
    """The directory `bodies/`."""

    def __init__(
        self,
        path: Path,
        disk: Disk,
        clock: Clock,
        *,
        inline_limit: int,
        reserve: int,
        database: Path | None = None,
        piece: int = PIECE,
    ) -> None:
        """Files are written in pieces of `piece` octets, or slightly more. No new mail is accepted
        while the file `database` is missing: what is written to a file that was removed is lost
        when the process ends."""
        self.path = path
        self.disk = disk
        self.inline_limit = inline_limit
        self.piece = piece
        self._room = Room(database or path, disk, clock, reserve)
        self.syncs = Durations(STORAGE)
        self._threads = all_started(THREADS, "spool-body")

    def incoming(self) -> "Incoming":
        return Incoming(self)

    def file(self, name: str) -> Path:
        return self.path / name

    def whole(self, name: str, size: int) -> Path:
        """The path of a complete body. Raises `FileNotFoundError`, or `StorageUnavailable` if the
        folder itself is missing, so that the body may reappear with it."""
        path = self.file(name)
        try:
            found = path.stat().st_size
        except FileNotFoundError as error:
            if not self.path.is_dir():
                raise translated(error, "load a message", self.path) from None
            raise FileNotFoundError(f"the file {path} is missing") from None
        if found != size:
            raise FileNotFoundError(f"the file {path} has {found} octets and should have {size}")
        return path

    def names(self) -> Iterator[tuple[str, int]]:
        """Every body file with its size."""
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    yield entry.name, entry.stat().st_size

    def unlink(self, name: str) -> bool:
        """False if it cannot be deleted now; then it is deleted at the next start.

        The directory is not synced: after a power cut the name may be back, and is deleted at the
        next start.
        """
        try:
            self.disk.unlink(self.file(name))
        except OSError:
            return False
        return True

    def require_room(self) -> None:
        """Raises `StorageUnavailable` before the disk is full."""
        try:
            self._room.require()
        except OSError as error:
            raise translated(error, "take a message", self.path.parent) from error

    @contextmanager
    def translating(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise translated(error, doing, self.path) from error

    def in_thread(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        self._threads.shutdown(wait=True)


class Incoming:
    """Implements model.IncomingBody. Used by one task at a time."""

    def __init__(self, folder: BodyFolder) -> None:
        self._folder = folder
        self._pending = bytearray()
        self._size = 0
        self._name = ""
        self._descriptor = -1
        self._working: asyncio.Future[Any] | None = None
        self._ended: str = ""

    @property
    def size(self) -> int:
        return self._size

    async def write(self, octets: bytes) -> None:
        self._refuse_if_ended()
        self._pending += octets
        self._size += len(octets)
        if len(self._pending) >= max(self._folder.piece, self._folder.inline_limit + 1):
            await self._flush()

    async def head(self, limit: int) -> bytes:
        if self._descriptor < 0:
            return bytes(memoryview(self._pending)[:limit])
        descriptor, written = self._descriptor, self._size - len(self._pending)
        start = await self._thread(
            lambda: os.pread(descriptor, min(limit, written), 0), "read back a message"
        )
        return start + bytes(memoryview(self._pending)[: max(0, limit - len(start))])

    async def store(self) -> Stored:
        """The body in a form that a row can store; a large one is on disk, with its directory
        entry."""
        self._refuse_if_ended()
        self._folder.require_room()
        if self._descriptor < 0 and self._size <= self._folder.inline_limit:
            return Kept(bytes(self._pending))
        await self._flush()
        await self._thread(self._sync, "write a message")
        return Filed(self._name, self._size)

    def hand_over(self) -> None:
        """A committed row refers to it now: `discard` no longer deletes it."""
        self._end("it was accepted")

    def abandon(self) -> str:
        """The file's name, if there is one: it must be kept for now, although it is not needed."""
        name = self._name
        self._end("it could not be stored")
        return name

    async def discard(self) -> None:
        await self._settled()
        name = self._name
        self._end("it was discarded")
        if name:
            await self._folder.in_thread(lambda: self._folder.unlink(name))

    # The file ------------------------------------------------------------------------------------

    async def _flush(self) -> None:
        piece, self._pending = self._pending, bytearray()
        await self._thread(lambda: self._append(piece), "write a message")

    def _append(self, piece: bytearray) -> None:
        disk = self._folder.disk
        if self._descriptor < 0:
            self._folder.require_room()
            name = secrets.token_hex(12) + SUFFIX
            self._descriptor = disk.create(self._folder.file(name))
            self._name = name
        rest = memoryview(piece)
        while rest:
            rest = rest[disk.write(self._descriptor, rest) :]

    def _sync(self) -> None:
        with self._folder.syncs.measured():
            self._folder.disk.sync(self._descriptor)
            self._folder.disk.sync_directory(self._folder.path)

    async def _thread(self, work: Callable[[], T], doing: str) -> T:
        """Completes even if the caller is cancelled, so that no descriptor in use is closed."""
        await self._settled()
        self._working = self._folder.in_thread(work)
        try:
            with self._folder.translating(doing):
                return await asyncio.shield(self._working)
        except StorageUnavailable:
            await self.discard()
            raise

    async def _settled(self) -> None:
        while self._working is not None and not self._working.done():
            await asyncio.wait([self._working])
        if self._working is not None and not self._working.cancelled():
            self._working.exception()
        # Its error refers to the frames that it passed through, and those to this object: see
        # errors.py.
        self._working = None

    def _end(self, why: str) -> None:
        if self._descriptor >= 0:
            with suppress(OSError):  # synced or not needed: an error at close changes nothing
                self._folder.disk.close(self._descriptor)
        self._descriptor, self._name, self._pending = -1, "", bytearray()
        self._ended = self._ended or why

    def _refuse_if_ended(self) -> None:
        if self._ended:
            raise StorageUnavailable(f"The spool does not have this message: {self._ended}.")
