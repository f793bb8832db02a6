"""A drop folder, and people who put things there."""

from pathlib import Path

from graphrelay.sendmail import drop
from graphrelay.sendmail.envelope import Envelope
from graphrelay.sendmail.message import Message

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
    """What is there, the folders of ours aside."""
    return sorted(path.name for path in folder.iterdir())
