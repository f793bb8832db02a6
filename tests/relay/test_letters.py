"""What legacy senders write, and what the mailbox then shows: the files in letters/.

A file is a comment, the envelope, the message after an empty line, and after `=====` what the
sandbox's mailbox shows. `\\xNN` is an octet. Lines of text are joined by ` / `. What is not
mentioned below the line is not looked at.
"""

import asyncio
import re
import smtplib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from graphrelay.sandbox.mailbox_items import Mail
from graphrelay.sandbox.mime import Person
from tests.world import world

FOLDER = Path(__file__).parent / "letters"
FILES = sorted(FOLDER.glob("*.txt"))


@dataclass(frozen=True, slots=True)
class MessageBody:
    sender: str
    recipients: tuple[str, ...]
    message: bytes
    shown: dict[str, str]


def load(path: Path) -> MessageBody:
    text = re.sub(r"^#.*\n", "", path.read_text("utf-8"))
    envelope, _, rest = text.partition("\n\n")
    message, _, shown = rest.partition("=====\n")
    fields = [line.partition(":") for line in envelope.splitlines()]
    octets = re.sub(
        rb"\\x([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), message.encode()
    )
    return MessageBody(
        sender=next(value.strip() for name, _, value in fields if name == "MAIL FROM"),
        recipients=tuple(value.strip() for name, _, value in fields if name == "RCPT TO"),
        message=octets.replace(b"\n", b"\r\n"),
        shown={
            name: value.strip()
            for name, _, value in (line.partition(":") for line in shown.splitlines())
        },
    )


def people(found: Iterable[Person]) -> str:
    return " ".join(map(str, found))


SHOWN: dict[str, Callable[[Mail], str]] = {
    "received": lambda mail: " ".join(sorted(mail.received, key=str.casefold)),
    "from": lambda mail: people(mail.head.sender),
    "to": lambda mail: people(mail.head.to),
    "cc": lambda mail: people(mail.head.cc),
    "reply-to": lambda mail: people(mail.head.reply_to),
    "subject": lambda mail: mail.subject,
    "text": lambda mail: " / ".join(mail.content.text.splitlines()),
}


def send(port: int, letter: MessageBody) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo("sender.example")
        assert client.docmd("MAIL", f"FROM:<{letter.sender}>")[0] == 250
        for recipient in letter.recipients:
            assert client.docmd("RCPT", f"TO:<{recipient}>")[0] == 250
        assert client.data(letter.message)[0] == 250


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_letter(path: Path, tmp_path: Path) -> None:
    letter = load(path)
    async with world(tmp_path) as here:
        await asyncio.to_thread(send, here.port, letter)
        (mail,) = await here.cloud.mailboxes.arrived(1)
    assert {name: SHOWN[name](mail) for name in letter.shown} == letter.shown


def test_there_are_letters() -> None:
    assert len(FILES) > 15
