"""A drop folder, and people who put things there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphrelay.sendmail import drop
from graphrelay.sendmail.envelope import Envelope
from graphrelay.sendmail.message import Message
from tests.tools import needs_root

NOBODY = 65534
TEXT = b"Subject: x\n\nhello\n"


def leave(
    folder: Path, *recipients: str, text: bytes = TEXT, sender: str = "wp@contoso.com"
) -> str:
    """What graphrelay-sendmail does. The file's name."""
    message = Message()
    message.add(text)
    message.complete()
    people = list(recipients or ("anna@example.org",))
    (name,) = drop.leave(str(folder / "drop"), Envelope(sender, people), message)
    message.close()
    return name


def names(folder: Path) -> list[str]:
    """The files there, except for our own folders."""
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def somebody_else() -> Iterator[None]:
    """Another user's permissions, within the block."""
    needs_root()
    groups = os.getgroups()
    os.setegid(NOBODY)
    os.setgroups([])
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
