"""Golden dialogs: SMTP conversations as plain files, played against the real server.

# why: who talks like this            a comment; the first one names the test
let tls=starttls auth=optional        settings of the listener, before all else
let login=scanner:secret limit=1000   a login; the size limit
let refuse=x@y.example                a recipient that the reception refuses
C: EHLO printer                       the client says a line; lines in a row are one packet
C= b"raw \\n octets" * 3               … or octets, as a Python expression
C! tls | shutdown | reset             … or does something
S: 250-relay.example                  the server answers exactly this; * stands for anything
S! closed                             … and hangs up
M: <a@b.example> <c@d.example>,<e@f>  the reception got this envelope next
M= b"..."                             … with these octets
J: refused stage=CONNECT              the journal has a line with this event and these fields
B: received="a@b c@d" from="…"        in the end the mailbox shows such a message: played once more
                                      against the whole relay (tests/e2e/test_dialogs.py)
"""

import fnmatch
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphrelay.model import Reply
from graphrelay.smtp.access.listener import Listener
from graphrelay.smtp.access.login import Login
from tests.smtp.passwords import quick_hash
from tests.smtp.reception import Client, House, MemoryReception

FOLDER = Path(__file__).parent.parent / "dialogs"


@dataclass(frozen=True)
class Step:
    """One line of the file that does something."""

    number: int
    who: str
    how: str
    what: str


@dataclass(frozen=True)
class Dialog:
    """A parsed file."""

    name: str
    settings: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]

    def listener(self, certificate: Path) -> Listener:
        known = dict(self.settings)
        tls: Any = known.get("tls", "off")
        return Listener(
            address="127.0.0.1:0",
            tls=tls,
            auth=known.get("auth", "off"),  # type: ignore[arg-type]
            certificate_file=certificate if tls != "off" else None,
        )

    def logins(self) -> tuple[Login, ...]:
        return tuple(
            Login(name, quick_hash(password))
            for name, _, password in (value.partition(":") for value in self._all("login"))
        )

    def reception(self) -> MemoryReception:
        refusal = Reply(550, "5.7.1", "Not here")
        return MemoryReception(
            limit=int(dict(self.settings).get("limit", "10000000")),
            refused_recipients=dict.fromkeys(self._all("refuse"), refusal),
        )

    def _all(self, name: str) -> Iterator[str]:
        return (value for key, value in self.settings if key == name)


def load(path: Path) -> Dialog:
    """Read a dialog; anything that is not understood is an error."""
    settings: list[tuple[str, str]] = []
    steps: list[Step] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("let "):
            settings += [
                (key, value) for key, _, value in (w.partition("=") for w in line.split()[1:])
            ]
            continue
        match = re.fullmatch(r"([CSMJB])([:=!+]) ?(.*)", line)
        assert match, f"{path.name}:{number}: not understood: {line}"
        steps.append(Step(number, match[1], match[2], match[3]))
    return Dialog(path.stem, tuple(settings), tuple(steps))


async def play(dialog: Dialog, house: House, trust: ssl.SSLContext, without: str = "") -> None:
    """Speak the client's lines and check the rest, but for the kinds of lines in `without`."""
    implicit = dict(dialog.settings).get("tls") == "implicit"
    player = _Player(house, trust, await house.connect(trust if implicit else None))
    async with player.client:
        for step in dialog.steps:
            if step.who in without:
                continue
            try:
                await player.play(step)
            except Exception as error:
                error.add_note(f"in tests/dialogs/{dialog.name}.txt, line {step.number}")
                raise
    assert player.messages_seen == len(house.reception.received), "a message nobody asked for"


class _Player:
    def __init__(self, house: House, trust: ssl.SSLContext, client: Client) -> None:
        self.house = house
        self.trust = trust
        self.client = client
        self.messages_seen = 0
        self._packet = b""

    async def play(self, step: Step) -> None:
        if step.who == "C" and step.how != "!":
            self._packet += _octets(step)
            return
        if self._packet:
            self.client.send(self._packet)
            self._packet = b""
        match step.who + step.how:
            case "C!":
                await self._does(step.what)
            case "S:":
                line = await self.client.line()
                assert fnmatch.fnmatchcase(line, _literal(step.what)), line
            case "S+":
                lines = (await self.client.reply()).split("|")
                for wanted in step.what.split(" & "):
                    assert fnmatch.filter(lines, _literal(wanted)), (wanted, lines)
            case "S!":
                assert await self.client.is_closed()
            case "M:":
                await self._next_message(step.what)
            case "M=":
                octets = self.house.reception.received[self.messages_seen - 1].octets
                assert octets == _octets(step)
            case "J:":
                self._journal(step.what)
            case "B:":
                pass
            case _:
                raise AssertionError(f"not understood: {step.who}{step.how}")

    async def _does(self, what: str) -> None:
        match what:
            case "tls":
                await self.client.start_tls(self.trust)
            case "shutdown":
                self.client.writer.write_eof()
            case "reset":
                await self.client.writer.drain()
                self.client.abort()
            case _:
                raise AssertionError(f"not understood: {what}")

    async def _next_message(self, expected: str) -> None:
        await self.house.reception.has_received(self.messages_seen + 1)
        message = self.house.reception.received[self.messages_seen]
        self.messages_seen += 1
        sender = message.envelope.reverse_path
        recipients = ",".join(f"<{path}>" for path in message.envelope.forward_paths)
        assert f"<{sender or ''}> {recipients}" == expected

    def _journal(self, expected: str) -> None:
        event, wanted = words(expected)
        assert any(
            all(fnmatch.fnmatchcase(str(entry.fields.get(k)), v) for k, v in wanted.items())
            for entry in self.house.events(event)
        ), self.house.entries


def words(text: str) -> tuple[str, dict[str, str]]:
    """The first word, and the `name=value` or `name="value"` pairs after it."""
    first, *fields = re.findall(r'[^\s"]+(?:"[^"]*")?', text)
    return first, {key: value.strip('"') for key, _, value in (f.partition("=") for f in fields)}


def _octets(step: Step) -> bytes:
    if step.how == ":":
        return step.what.encode() + b"\r\n"
    value = eval(step.what, {"__builtins__": {}})
    assert isinstance(value, bytes)
    return value


def _literal(pattern: str) -> str:
    """Only `*` is special."""
    return re.sub(r"([\[?])", r"[\1]", pattern)
