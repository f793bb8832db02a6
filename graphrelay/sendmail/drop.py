"""The drop folder: where a message waits while the relay is away.

    .<name>.new ── write, fsync ──▶ rename ──▶ <name>.mail ── fsync ──▶ exit status 0

A file holds what an SMTP client would have said, and then the message, counted:

    graphrelay drop 1
    MAIL FROM:<www-data@web1.contoso.com>
    RCPT TO:<anna@example.org>
    BDAT 000000000000004711 LAST
    (4,711 octets)

The folder is the relay's, any user may put files into it and nobody may list it (3733). The file
belongs to its user, which is how the relay knows who sent it, and through the folder's set-group-ID
bit to the relay's group, which alone may read it (0640).
"""

import os
import time

from graphrelay.sendmail.envelope import Envelope
from graphrelay.sendmail.message import Message

MAGIC = b"graphrelay drop 1\r\n"
SUFFIX = ".mail"
MOST_RECIPIENTS = 500
"""In one file."""
_ALL = frozenset({"DSN"})
"""What the relay understands in a file, whatever it offers on the wire."""


def leave(folder: str, envelope: Envelope, message: Message) -> list[str]:
    """Put the message there; when this returns it is on the disk. The names of its files: there is
    more than one only for very many recipients.

    Raises `OSError`, and then there is nothing.
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
    """All that comes before the message."""
    lines = [
        envelope.mail(_ALL, eight_bit=False),
        *(envelope.rcpt(recipient, _ALL) for recipient in envelope.recipients),
        f"BDAT {size:018} LAST",
    ]
    return MAGIC + "".join(f"{line}\r\n" for line in lines).encode()


def _sync_names(descriptors: list[int], folder: str) -> None:
    """Make the renames durable.

    Who may not list a folder cannot open it to sync it. Syncing the file behind its rename does it
    as well on ext4, XFS and Btrfs: what changed the file's inode last, which is the rename, is
    committed with it.
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
