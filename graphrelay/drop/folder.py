"""The folders on the disk, and what other users may have put there.

    <directory>/            the relay's; nobody else may write to it
    <directory>/drop/       3733: any user may put a file in, nobody may list it, and nobody but its
                            owner and the relay may take it out; its group reaches the files
    <directory>/refused/    0700: what was not taken

What is always true here: no link is followed, and no call waits for another program. A name is
looked at without being opened. Only a regular file with one name is opened, without following links
and without blocking. What is open must still be what was looked at, and must have been created in
this folder, which its group shows. So no symbolic link, no FIFO, and no hard link to another user's
file is ever read. Every call blocks for a moment, and is made in a thread.
"""

import errno
import fcntl
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DROP: Final = "drop"
REFUSED: Final = "refused"
USUAL: Final = Path("/var/spool/graphrelay")
"""Where graphrelay-sendmail leaves mail by default."""
MODES: Final = (0o3733, 0o3730)
"""The second where only the members of the folder's group may leave mail."""
_FINISHED = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*\.mail")
_UNFINISHED = re.compile(r"\.[0-9A-Za-z._-]*\.new")
_KINDS: Final = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


class DropUnusable(Exception):  # noqa: N818 (a condition, reported to the admin)
    """The folders are not as they must be; the text says what to do."""


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file that may be read. Its reader closes it."""

    descriptor: int
    name: str
    size: int
    owner: int
    """The user id of its owner."""
    identity: tuple[int, int]
    written: float
    """When it was last written to, in seconds of the wall clock."""


@dataclass(frozen=True, slots=True)
class Unsuitable:
    """It is not to be read; `why` says for what reason."""

    why: str


@dataclass(frozen=True, slots=True)
class Vanished:
    """It is no longer there."""


class DropFolder:
    """The folders of one relay, open and locked as long as it runs."""

    def __init__(self, path: Path, drop: int, refused: int) -> None:
        self.path = path
        self._drop = drop
        self._refused = refused
        self._group = os.fstat(drop).st_gid

    @classmethod
    def open(cls, path: Path) -> "DropFolder":
        """Create what is missing, as far as permissions allow. Raises `DropUnusable`."""
        descriptors: list[int] = []
        try:
            above = _opened(path, None, descriptors)
            if os.fstat(above).st_mode & 0o022:
                raise DropUnusable(f"other users may write to {path}: chmod 755 {path}")
            drop = _made(path / DROP, above, 0o3733, descriptors)
            refused = _made(path / REFUSED, above, 0o700, descriptors)
            _check(path / DROP, os.fstat(drop), MODES)
            _check(path / REFUSED, os.fstat(refused), (0o700,))
            # On the folder that nobody else can open, or anybody could keep the relay out.
            fcntl.flock(refused, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            _close(descriptors)
            raise DropUnusable(f"another relay picks up the mail in {path}") from error
        except OSError as error:
            _close(descriptors)
            raise DropUnusable(_how_to_make(path, error)) from error
        except BaseException:
            _close(descriptors)
            raise
        os.close(above)
        return cls(path, drop, refused)

    @staticmethod
    def is_left_alone(path: Path) -> bool:
        """Whether mail that is left there would be for this relay's user."""
        try:
            return (path / DROP).stat().st_uid == os.geteuid()
        except OSError:
            return False

    def close(self) -> None:
        _close([self._drop, self._refused])

    def waiting(self) -> list[str]:
        """Every name but those of files that are being written, the oldest first."""
        return sorted(name for name in _names(self._drop) if not _UNFINISHED.fullmatch(name))

    def sweep(self, before: float) -> list[str]:
        """Delete unfinished files that were last written to before that time."""
        swept = []
        for name in filter(_UNFINISHED.fullmatch, _names(self._drop)):
            with suppress(FileNotFoundError):
                found = self._look(name)
                if found.st_mtime < before and not stat.S_ISDIR(found.st_mode):
                    os.unlink(name, dir_fd=self._drop)
                    swept.append(name)
        return swept

    def refused(self) -> int:
        """How many files wait for a person."""
        return len(_names(self._refused))

    def open_file(self, name: str, largest: int) -> OpenedFile | Unsuitable | Vanished:
        """Open it for reading, if it is a regular file that was left here properly."""
        try:
            seen = self._look(name)
            if odd := _odd(name, seen, self._group, largest):
                return Unsuitable(odd)
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=self._drop)
        except FileNotFoundError:
            return Vanished()
        except OSError as error:
            return Unsuitable(f"it cannot be opened ({error.strerror})")
        opened = os.fstat(descriptor)
        odd = _odd(name, opened, self._group, largest)
        if odd or _identity(opened) != _identity(seen):
            os.close(descriptor)
            return Unsuitable(odd or "it was replaced while it was being opened")
        size, written = opened.st_size, opened.st_mtime
        return OpenedFile(descriptor, name, size, opened.st_uid, _identity(opened), written)

    def delete(self, opened: OpenedFile) -> None:
        """Delete the file, unless another one has its name by now."""
        with suppress(FileNotFoundError):
            if _identity(self._look(opened.name)) == opened.identity:
                os.unlink(opened.name, dir_fd=self._drop)

    def sync(self) -> None:
        """Make deletions durable: a file that came back after a power cut would be sent again."""
        os.fsync(self._drop)

    def set_aside(self, name: str) -> str:
        """Move it, whatever it is, to `refused/`; its name there. Raises `OSError`."""
        plain = re.sub(r"[^0-9A-Za-z._-]", "_", name).lstrip(".")[:100] or "_"
        kept, number = plain, 1
        while self._is_kept(kept):
            kept, number = f"{number}-{plain}", number + 1
        os.rename(name, kept, src_dir_fd=self._drop, dst_dir_fd=self._refused)
        return kept

    def _is_kept(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self._refused, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def _look(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self._drop, follow_symlinks=False)


def _odd(name: str, found: os.stat_result, group: int, largest: int) -> str | None:
    """Why a file is not to be read; `None` where it may be."""
    if not stat.S_ISREG(found.st_mode):
        return f"it is {_KINDS.get(stat.S_IFMT(found.st_mode), 'not a file')}"
    if not _FINISHED.fullmatch(name):
        return "its name is not one that graphrelay-sendmail gives"
    if found.st_nlink != 1:
        return f"it has {found.st_nlink} names (hard links)"
    if found.st_gid != group:
        return f"it was not created in this folder (group {found.st_gid}, not {group})"
    if found.st_size > largest:
        return f"it has {found.st_size} octets, and the largest message would make {largest}"
    return None


def _names(descriptor: int) -> list[str]:
    with os.scandir(descriptor) as entries:
        return [entry.name for entry in entries]


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _opened(path: Path, above: int | None, descriptors: list[int]) -> int:
    """The folder itself may be a symbolic link, since an admin made it; those below may not."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if above is None:
        descriptors.append(os.open(path, flags))
    else:
        descriptors.append(os.open(path.name, flags | os.O_NOFOLLOW, dir_fd=above))
    return descriptors[-1]


def _made(path: Path, above: int, mode: int, descriptors: list[int]) -> int:
    try:
        return _opened(path, above, descriptors)
    except FileNotFoundError:
        os.mkdir(path.name, 0o700, dir_fd=above)
    opened = _opened(path, above, descriptors)
    try:
        os.fchmod(opened, mode)
    except OSError:  # systemd forbids set-group-ID bits to services
        os.rmdir(path.name, dir_fd=above)
        raise
    return opened


def _check(path: Path, found: os.stat_result, modes: tuple[int, ...]) -> None:
    if found.st_uid != os.geteuid():
        raise DropUnusable(
            f"{path} is owned by user {found.st_uid}, not by the relay's user {os.geteuid()}: "
            "chown it, or install systemd/tmpfiles.d/graphrelay.conf"
        )
    if stat.S_IMODE(found.st_mode) not in modes:
        wanted = " or ".join(f"{mode:o}" for mode in modes)
        raise DropUnusable(
            f"{path} has mode {stat.S_IMODE(found.st_mode):o}, which must be {wanted}: "
            f"chmod {modes[0]:o} {path}"
        )
    if found.st_gid not in {os.getegid(), *os.getgroups()} and os.geteuid() != 0:
        raise DropUnusable(
            f"{path} has group {found.st_gid}, to which the relay does not belong, "
            "so it could not read the files left there: chgrp it to the relay's group"
        )


def _how_to_make(path: Path, error: OSError) -> str:
    said = error.strerror or errno.errorcode.get(error.errno or 0, "")
    return (
        f"cannot use {path} as the [drop] directory: {error.filename or path}: {said}; "
        "install systemd/tmpfiles.d/graphrelay.conf and run systemd-tmpfiles --create, "
        f"or make the relay's user the owner of {path}"
    )


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        with suppress(OSError):  # nothing was written through it
            os.close(descriptor)
