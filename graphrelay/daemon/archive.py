"""A backup as one tar file, and a restore from it.

    spool.db  bodies/*  vault/*  [vault.key]  manifest.json

The manifest is last, and names every other file with its size and SHA-256: an archive without it,
or with another file, is not whole. Nothing is taken from an archive before all of it was read and
found right.

A restore writes everything beside the spool first (`restore.partial`), and moves the database to
its place as the last step. A crash before that leaves no database, and the restore can be made
again.
"""

import asyncio
import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from graphrelay import __version__
from graphrelay.clock import Clock
from graphrelay.files import sync_directory
from graphrelay.journal import Journal
from graphrelay.spool.changes import Changed, Hold
from graphrelay.spool.queries import QueueFilter
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.sqlite.files.lock import Lock
from graphrelay.spool.sqlite.snapshot import BODIES, snapshot
from graphrelay.spool.sqlite.startup.start import DATABASE

FORMAT = 1
MANIFEST = "manifest.json"
VAULT = "vault"
KEY = "vault.key"
PARTIAL = "restore.partial"
_NAME = re.compile(rf"{re.escape(DATABASE)}|{re.escape(KEY)}|({BODIES}|{VAULT})/[^/]+")
_PIECE = 1 << 20


class BadArchive(Exception):  # noqa: N818 (what is wrong with a file, for the person)
    """It is not a whole backup; the text says why."""


class CannotRestore(Exception):  # noqa: N818 (a condition that a person can change)
    """The state directory is not one to restore into; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What an archive holds."""

    created_at: datetime
    version: str
    """Of the program that made it."""
    files: int
    octets: int
    has_key: bool


# --- Backing up ----------------------------------------------------------------------------------


def back_up(directory: Path, out: IO[bytes], now: datetime, *, with_key: bool) -> Contents:
    """Write the state directory to `out`. Raises `StorageUnavailable`, `OSError`."""
    files: dict[str, dict[str, Any]] = {}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        with snapshot(directory) as stage:
            _add(tar, files, stage, DATABASE, *_inside(stage, BODIES))
        _add(tar, files, directory, *_inside(directory, VAULT))
        if with_key and (directory / KEY).exists():
            _add(tar, files, directory, KEY)
        manifest = {
            "format": FORMAT,
            "version": __version__,
            "created_at": now.isoformat(timespec="seconds"),
            "files": files,
        }
        octets = json.dumps(manifest, indent=1).encode()
        tar.addfile(_member(MANIFEST, len(octets)), io.BytesIO(octets))
    return _contents(manifest)


def _inside(directory: Path, folder: str) -> list[str]:
    if not (directory / folder).is_dir():
        return []
    names = sorted(path.name for path in (directory / folder).iterdir() if path.is_file())
    return [f"{folder}/{name}" for name in names if not name.startswith(".")]


def _add(tar: tarfile.TarFile, files: dict[str, Any], base: Path, *names: str) -> None:
    for name in names:
        with (base / name).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            counted = _Hashed(file)
            tar.addfile(_member(name, size), counted)
        files[name] = {"size": size, "sha256": counted.hash.hexdigest()}


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


class _Hashed(io.RawIOBase):
    """Reads a file and hashes what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        octets = self._file.read(size)
        self.hash.update(octets)
        return octets


# --- Reading an archive --------------------------------------------------------------------------


def verify(archive: IO[bytes]) -> Contents:
    """Read all of it. Raises `BadArchive`."""
    for _ in _members(archive):
        pass
    archive.seek(0)
    return _contents(_manifest(archive))


def _members(archive: IO[bytes], into: Path | None = None) -> Iterator[str]:
    """Each file's name, when it has been read, and written `into` a directory if one is given.
    Raises `BadArchive` for anything that is not as the manifest says."""
    expected = dict(_manifest(archive)["files"])
    archive.seek(0)
    with _as_bad_archive(), tarfile.open(fileobj=archive, mode="r:") as tar:
        for member in tar:
            if member.name == MANIFEST:
                continue
            known = expected.pop(member.name, None)
            if known is None or not member.isreg() or not _NAME.fullmatch(member.name):
                raise BadArchive(f"{member.name} does not belong in a backup")
            if _read(tar, member, into) != (known["size"], known["sha256"]):
                raise BadArchive(f"{member.name} is not as it was backed up")
            yield member.name
    if expected:
        raise BadArchive(f"{min(expected)} is missing")


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path | None) -> tuple[int, str]:
    source = tar.extractfile(member)
    assert source is not None  # noqa: S101 (it is a regular file)
    digest, size = hashlib.sha256(), 0
    with contextlib.ExitStack() as stack:
        target = None
        if into is not None:
            path = into / member.name
            path.parent.mkdir(0o700, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            target = stack.enter_context(os.fdopen(descriptor, "wb"))
        while octets := source.read(_PIECE):
            digest.update(octets)
            size += len(octets)
            if target:
                target.write(octets)
        if target:
            target.flush()
            os.fsync(target.fileno())
    return size, digest.hexdigest()


def _manifest(archive: IO[bytes]) -> dict[str, Any]:
    archive.seek(0)
    with _as_bad_archive(), tarfile.open(fileobj=archive, mode="r:") as tar:
        last = tar.getmembers()[-1:]
        source = tar.extractfile(last[0]) if last and last[0].name == MANIFEST else None
        if source is None:
            raise BadArchive("it is not a backup, or its end is missing")
        found: dict[str, Any] = json.loads(source.read())
        if found["format"] != FORMAT:
            raise BadArchive(f"its format is {found['format']}; a newer graphrelay made it")
        _contents(found)  # raises what is reported here, if a member is missing
        return found


@contextlib.contextmanager
def _as_bad_archive() -> Iterator[None]:
    try:
        yield
    except (
        *(tarfile.TarError, EOFError, ValueError, KeyError, TypeError, AttributeError),
        RecursionError,
    ) as error:
        raise BadArchive(f"it cannot be read: {error}") from error


def _contents(manifest: dict[str, Any]) -> Contents:
    files = manifest["files"]
    return Contents(
        created_at=datetime.fromisoformat(manifest["created_at"]),
        version=manifest["version"],
        files=len(files),
        octets=sum(file["size"] for file in files.values()),
        has_key=KEY in files,
    )


# --- Restoring -----------------------------------------------------------------------------------


def restore(archive: IO[bytes], directory: Path, clock: Clock, *, replace: bool, hold: bool) -> int:
    """Put an archive in place of the spool and the vault; returns how many messages are held.

    `replace`: what is there is moved to `replaced-TIME`, else it is refused. `hold`: what waited
    when the backup was made may have been sent since, so it waits for a person. Raises
    `BadArchive`, `CannotRestore`, `SpoolInUse`, `SpoolTooNew`, `StorageUnavailable`, `OSError`.
    """
    contents = verify(archive)
    directory.mkdir(0o700, parents=True, exist_ok=True)
    lock = Lock.take(directory)
    try:
        if (directory / DATABASE).exists() and not replace:
            raise CannotRestore(
                f"{directory} has a queue already. With --replace it is moved aside, and nothing "
                "of it is sent"
            )
        partial = directory / PARTIAL
        shutil.rmtree(partial, ignore_errors=True)
        try:
            held = _prepare(archive, partial, clock, contents if hold else None)
        except BaseException as error:  # a full disk, or Ctrl-C: it takes no room from the relay
            shutil.rmtree(partial, ignore_errors=True)
            if isinstance(error, OSError):
                raise CannotRestore(f"nothing was changed: {directory}: {error}") from error
            raise
        _put_in_place(partial, directory, clock.now())
        return held
    finally:
        lock.give_back()


def _prepare(archive: IO[bytes], partial: Path, clock: Clock, hold: Contents | None) -> int:
    """Write all of it beside the spool; returns how many messages are held, if they are to be."""
    partial.mkdir(0o700)
    for _ in _members(archive, partial):
        pass
    held = asyncio.run(_hold_all(partial, clock, hold)) if hold else 0
    for left in ("lock", "lock.next"):
        (partial / left).unlink(missing_ok=True)
    return held


async def _hold_all(partial: Path, clock: Clock, contents: Contents) -> int:
    """Opening it also upgrades it, and settles what a crash would have left."""
    made = contents.created_at.strftime("%Y-%m-%d %H:%M UTC")
    reason = f"restored from a backup of {made}: it may have been sent since"
    held = after = 0
    async with SqliteSpool.open(partial, clock, Journal(clock), reserve=0) as spool:
        while rows := await spool.read(QueueFilter(state="queued", after_id=after)):
            for row in rows:
                verdict = await spool.change(Hold(row.submission_id, reason))
                held += isinstance(verdict, Changed)
            after = rows[-1].submission_id
    return held


def _put_in_place(partial: Path, directory: Path, now: datetime) -> None:
    """The database comes last: with it, the restore is done."""
    _write_back_wal(partial / DATABASE)
    if (directory / DATABASE).exists():
        _write_back_wal(directory / DATABASE)
    aside = directory / f"replaced-{now:%Y%m%dT%H%M%S}"
    for name in (DATABASE, BODIES, VAULT, KEY):
        if (directory / name).exists() and (name != KEY or (partial / KEY).exists()):
            aside.mkdir(0o700, exist_ok=True)
            (directory / name).rename(aside / name)
            sync_directory(aside)
    for name in (BODIES, VAULT):
        if (partial / name).exists():
            sync_directory(partial / name)
    for name in (BODIES, VAULT, KEY):
        if (partial / name).exists():
            (partial / name).rename(directory / name)
    sync_directory(directory)
    (partial / DATABASE).rename(directory / DATABASE)
    sync_directory(directory)
    shutil.rmtree(partial)


def _write_back_wal(database: Path) -> None:
    """A database is moved alone, so that its write-ahead log must be in it."""
    with closing(sqlite3.connect(database)) as connection:
        [busy, *_] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise CannotRestore(f"another program has {database} open")
