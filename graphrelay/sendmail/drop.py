"""The drop folder: where a message is stored while the relay is not running.

    .<name>.new ── write, fsync ──▶ rename ──▶ <name>.mail ── fsync ──▶ exit status 0

A file has the commands of an SMTP client, and then the message, with its length:

    graphrelay drop 1
    MAIL FROM:<www-data@web1.contoso.com>
    RCPT TO:<anna@example.org>
    BDAT 000000000000004711 LAST
    (4,711 octets)

The folder belongs to the relay's user; any user may create files in it and nobody else may list it
(3733). A file belongs to the user who created it, so the relay knows who sent it, and through the
folder's set-group-ID bit to the relay's group, which may read it (0640).
"""

import os
import time

from graphrelay.sendmail.envelope import Envelope
from graphrelay.sendmail.message import Message

MAGIC = b"graphrelay drop 1\r\n"
SUFFIX = ".mail"
MOST_RECIPIENTS = 500
"""The most recipients in one file."""
_ALL = frozenset({"DSN"})
"""The extensions that the relay accepts in a file, whatever EHLO offers."""


def leave(folder: str, envelope: Envelope, message: Message) -> list[str]:
    """Store the message in the folder; when this returns, it is on disk. Returns the names of its
    files: more than one only for very many recipients.

    Raises `OSError`; then nothing was stored.
    """
    names: list[str] = []
    done: list[str] = []
    descriptors: list[int] = []
    try:
        for start in range(0, len(envelope.recipients), MOST_RECIPIENTS):
            some = envelope.to(envelope.recipients[start : start + MOST_RECIPIENTS])
            name = f"{time.time_ns():016x}.{os.urandom(8).hex()}"
            descriptors.append(_create(f"{folder}/.{name}.new"))
            names.append(name)
            _write(descriptors[-1], some, message)
        for name in names:
            os.rename(f"{folder}/.{name}.new", f"{folder}/{name}{SUFFIX}")  # noqa: PTH104
            done.append(name)
        _sync_names(descriptors, folder)
    except BaseException:
        for name in names:
            _unlink(f"{folder}/{name}{SUFFIX}" if name in done else f"{folder}/.{name}.new")
        raise
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return [f"{name}{SUFFIX}" for name in names]


def _create(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)  # noqa: PTH108 (start-up)
    except FileNotFoundError:
        return  # the relay has it already


def _write(descriptor: int, envelope: Envelope, message: Message) -> None:
    _write_all(descriptor, commands(envelope, message.size))
    for piece in message.pieces():
        _write_all(descriptor, piece)
    os.fchmod(descriptor, 0o640)
    os.fsync(descriptor)


def commands(envelope: Envelope, size: int) -> bytes:
    """Everything before the message."""
    lines = [
        envelope.mail(_ALL, eight_bit=False),
        *(envelope.rcpt(recipient, _ALL) for recipient in envelope.recipients),
        f"BDAT {size:018} LAST",
    ]
    return MAGIC + "".join(f"{line}\r\n" for line in lines).encode()


def _sync_names(descriptors: list[int], folder: str) -> None:
    """Make the renames durable.

    A user who may not list a folder cannot open it to sync it. Syncing the file after its rename
    has the same effect on ext4, XFS and Btrfs: the last change of the file's inode, which is the
    rename, is committed with it.
    """
    for descriptor in descriptors:
        os.fsync(descriptor)
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _write_all(descriptor: int, octets: bytes) -> None:
    rest = memoryview(octets)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
