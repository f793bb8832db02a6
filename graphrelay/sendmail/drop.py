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
_ALL = frozenset({"DSN"})
"""What the relay understands in a file, whatever it offers on the wire."""


def leave(folder: str, envelope: Envelope, message: Message) -> str:
    """Put the message there; when this returns it is on the disk. The file's name.

    Raises `OSError`, and then there is nothing.
    """
    name = f"{time.time_ns():016x}.{os.urandom(8).hex()}"
    unfinished, finished = f"{folder}/.{name}.new", f"{folder}/{name}{SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(unfinished, flags, 0o600)
    there = unfinished
    try:
        _write_all(descriptor, commands(envelope, message.size))
        for piece in message.pieces():
            _write_all(descriptor, piece)
        os.fchmod(descriptor, 0o640)
        os.fsync(descriptor)
        os.rename(unfinished, finished)  # noqa: PTH104 (start-up)
        there = finished
        _sync_name(descriptor, folder)
    except BaseException:
        os.unlink(there)  # noqa: PTH108 (start-up)
        raise
    finally:
        os.close(descriptor)
    return f"{name}{SUFFIX}"


def commands(envelope: Envelope, size: int) -> bytes:
    """All that comes before the message."""
    lines = [
        envelope.mail(_ALL, eight_bit=False),
        *(envelope.rcpt(recipient, _ALL) for recipient in envelope.recipients),
        f"BDAT {size:018} LAST",
    ]
    return MAGIC + "".join(f"{line}\r\n" for line in lines).encode()


def _sync_name(descriptor: int, folder: str) -> None:
    """Make the rename durable.

    Who may not list a folder cannot open it to sync it. Syncing the file behind the rename does
    it as well on ext4, XFS and Btrfs: what the file's inode was last changed by, which is the
    rename, is committed with it.
    """
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
