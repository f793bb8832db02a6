"""Other projects' test mail, sent through the whole relay: what arrives must be what was sent.

    python -m tests.relay.corpus FOLDER …       every file below is a message
    python -m tests.relay.corpus --debian       mail in the test data of Debian's source packages
    python -m tests.relay.corpus --registries   the same of other libraries, from PyPI and npm too
    … --json                                    each is taken apart besides, and what arrives is
                                                compared with what postal-mime reads (needs npm);
                                                differences are counted by `explained.KINDS`, and
                                                one that is of no kind is a failure

Nothing of it is copied into this repository. Whatever a file holds, be it mail, half a mail or a
picture, it goes in by SMTP and must come out in the sandbox's mailbox: once, for exactly the
envelope's recipients, with one author, and with every octet behind the first empty line.
"""

import argparse
import asyncio
import re
import smtplib
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from graphrelay.sandbox.mailbox_items import Mail
from tests.relay import explained, taken_apart
from tests.relay.mail import recipients_by_python
from tests.relay.taken_apart import Seen
from tests.world import World, world

SENDER = "wp@contoso.com"
LARGEST = 2_800_000
AT_ONCE = 50
FURTHER = ("kf5-messagelib", "kmime", "mimetic", "php-horde-mime")
"""Debian source packages of which every file that looks like mail is taken."""
SDISTS = ("django-mailbox==4.10.1",)
NPM = ("eml-format@0.6.1",)
JSON = '\n[[routes]]\naccount = "website"\ncontent = "json"\n'
PACKAGES = {
    "bogofilter": "src/tests/inputs/*",
    "enmime": "testdata/*/*",
    "gmime": "tests/data/**/*",
    "libemail-mime-perl": "t/Mails/*",
    "libmime-tools-perl": "testmsgs/*",
    "notmuch": "test/corpora/**/*",
    "rspamd": "test/functional/messages/**/*",
    "ruby-mail": "spec/fixtures/emails/**/*",
    "spamassassin": "t/data/*/*",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One file, as it went over the wire."""

    name: str
    octets: bytes
    recipients: tuple[str, str]


def messages(files: Iterable[Path]) -> Iterator[Sent]:
    for number, path in enumerate(files):
        recipients = (f"reader{number}@example.org", f"Hidden.{number}@example.org")
        yield Sent(str(path), _on_the_wire(path.read_bytes()), recipients)


def send(port: int, batch: list[Sent]) -> None:
    """Raises the relay's refusals."""
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        for one in batch:
            client.sendmail(SENDER, one.recipients, one.octets, mail_options=["BODY=8BITMIME"])


def complaint(sent: Sent, mail: Mail) -> str | None:
    """What is wrong with what arrived."""
    if sorted(mail.received) != sorted(sent.recipients):
        return f"received by {mail.received}"
    if not mail.raw.endswith(sent.octets.partition(b"\r\n\r\n")[2]):
        return "octets of the body differ"
    head = mail.raw.partition(b"\r\n\r\n")[0] + b"\r\n"
    if recipients_by_python(head) != sorted(one.casefold() for one in sent.recipients):
        return f"Python reads {recipients_by_python(head)}"
    if len(mail.head.sender) != 1:
        return f"authors: {mail.head.sender}"
    return None


def _on_the_wire(octets: bytes) -> bytes:
    """With the line ends of RFC 5321, the last one included."""
    octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


async def complaints(here: World, batch: list[Sent], before: int) -> list[str]:
    """Send a batch and look at what arrived; a line for each message that has changed."""
    await asyncio.to_thread(send, here.port, batch)
    arrived = (await here.cloud.mailboxes.arrived(before + len(batch), timeout=120))[before:]
    by_recipient = {mail.received[0]: mail for mail in arrived}
    found = []
    for one in batch:
        mail = by_recipient.get(one.recipients[0]) or by_recipient.get(one.recipients[1])
        problem = complaint(one, mail) if mail else "lost"
        if problem:
            found.append(f"{one.name}: {problem}")
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """A difference in one message; `kind` is empty if it is not explained."""

    line: str
    kind: str = ""


def differences_of(
    sent: list[Sent], mails: list[Mail], parsed: list[Seen | None]
) -> Iterator[Found]:
    """Where the message that was taken apart says something else than another parser."""
    by_recipient = {mail.received[0]: mail for mail in mails}
    for one, theirs in zip(sent, parsed, strict=True):
        mail = by_recipient.get(one.recipients[0]) or by_recipient.get(one.recipients[1])
        if mail is None:
            yield Found(f"{one.name}: lost")
        elif mail.via == "json" and theirs is not None:
            ours = taken_apart.of_relay(mail)
            for found in taken_apart.differences(ours, theirs):
                kind = explained.why(one.octets, ours, theirs, found)
                yield Found(f"{one.name}: {found}", kind)


async def run_as_json(files: Iterable[Path], directory: Path) -> tuple[int, list[Found]]:
    """How many messages were taken apart, and what another parser reads otherwise."""
    count = 0
    found: list[Found] = []
    written = directory / "message"
    fitting = (path for path in files if path.is_file() and path.stat().st_size <= LARGEST)
    sent = messages(fitting)
    async with world(directory, extra=JSON) as here:
        while batch := list(islice(sent, AT_ONCE)):
            before = len(here.cloud.mailboxes.submitted)
            await asyncio.to_thread(send, here.port, batch)
            arrived = await here.cloud.mailboxes.arrived(before + len(batch), timeout=120)
            paths = []
            for number, one in enumerate(batch):
                paths.append(written.with_suffix(f".{number}"))
                paths[-1].write_bytes(one.octets)
            parsed = await asyncio.to_thread(taken_apart.by_postal, directory / "npm", paths)
            found += differences_of(batch, arrived[before:], parsed)
            count += sum(mail.via == "json" for mail in arrived[before:])
    return count, found


async def run(files: Iterable[Path], directory: Path) -> tuple[int, list[str]]:
    """How many messages went through, and what was wrong with any."""
    count, wrong = 0, []
    fitting = (path for path in files if path.is_file() and path.stat().st_size <= LARGEST)
    sent = messages(fitting)
    async with world(directory) as here:
        while batch := list(islice(sent, AT_ONCE)):
            wrong += await complaints(here, batch, count)
            count += len(batch)
    return count, wrong


# --- Debian's source packages ---------------------------------------------------------------------


def debian(directory: Path) -> Iterator[Path]:
    """The mail in those of `PACKAGES` that are available."""
    sources = _deb_src(directory)
    for package, pattern in PACKAGES.items():
        found = sorted(_unpacked(package, sources, directory).glob(f"*/{pattern}"))
        print(f"{package}: {sum(path.is_file() for path in found)} files", flush=True)
        yield from found


_FIELD = re.compile(
    rb"(?im)^(?:from|to|subject|date|received|message-id|mime-version|content-type):"
)
_FIRST_LINE = re.compile(rb"(?:\xef\xbb\xbf)?(?:From |[!-9;-~]+:[ \t\r\n])")


def is_mail(path: Path) -> bool:
    """Whether the file begins as mail does, with two fields that mail has."""
    if not path.is_file() or path.is_symlink():
        return False
    head = re.split(rb"\r?\n\r?\n", path.read_bytes()[:65_536], maxsplit=1)[0]
    return bool(_FIRST_LINE.match(head)) and len(_FIELD.findall(head)) > 1


def registries(directory: Path) -> Iterator[Path]:
    """The mail in those of the further libraries that are available."""
    options, found = _deb_src(directory), []
    for package in FURTHER:
        found.append((package, _unpacked(package, options, directory)))
    for sdist in SDISTS:
        folder = directory / sdist
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary=:all:"]
        subprocess.run([*command, "-d", str(folder), sdist], check=False)
        _unpack(folder, "*.tar.gz")
        found.append((sdist, folder))
    for package in NPM:
        folder = directory / package
        install = ["npm", "install", "--silent", "--ignore-scripts", "--prefix", str(folder)]
        subprocess.run([*install, package], check=False)
        found.append((package, folder))
    for name, folder in found:
        mails = sorted(filter(is_mail, folder.rglob("*")))
        print(f"{name}: {len(mails)} messages", flush=True)
        yield from mails


def _deb_src(directory: Path) -> list[str]:
    """Options for apt to read source packages from where this machine gets its packages."""
    parts = directory / "sources.list.d"
    (directory / "lists" / "partial").mkdir(parents=True)
    parts.mkdir()
    for given in Path("/etc/apt/sources.list.d").glob("*.sources"):
        text = given.read_text("utf-8").replace("Types: deb\n", "Types: deb-src\n")
        (parts / given.name).write_text(text, "utf-8")
    options = [
        f"-oDir::Etc::SourceParts={parts}",
        "-oDir::Etc::SourceList=/dev/null",
        f"-oDir::State::Lists={directory / 'lists'}",
        "-oAPT::Sandbox::User=",
    ]
    subprocess.run(["apt-get", *options, "-qq", "update"], check=True)
    return options


def _unpacked(package: str, options: list[str], directory: Path) -> Path:
    folder = directory / package
    folder.mkdir()
    command = ["apt-get", *options, "-qq", "--download-only", "--tar-only", "source", package]
    subprocess.run(command, cwd=folder, check=False, stderr=subprocess.DEVNULL)
    _unpack(folder, "*.orig.tar.?z")
    return folder


def _unpack(folder: Path, pattern: str) -> None:
    for archive in folder.glob(pattern):
        with tarfile.open(archive) as tar:
            files = (member for member in tar if member.isfile())
            tar.extractall(folder, members=files, filter="data")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--debian", action="store_true")
    parser.add_argument("--registries", action="store_true")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    with TemporaryDirectory() as given:
        directory = Path(given)
        files = [path for folder in wanted.folders for path in sorted(folder.rglob("*"))]
        if wanted.debian:
            files += debian(directory)
        if wanted.registries:
            files += registries(directory)
        count, wrong = asyncio.run(run(files, directory))
        changed = len(wrong)
        if wanted.json:
            folder = directory / "json"
            folder.mkdir()
            apart, found = asyncio.run(run_as_json(files, folder))
            wrong += [one.line for one in found if not one.kind]
            print("\n".join(f"{one.kind or 'NOT EXPLAINED'}: {one.line}" for one in found))
            print(f"{apart} taken apart; {len(found)} differences from what postal-mime reads:")
            for kind, number in Counter(one.kind for one in found).most_common():
                print(f"  {number} {kind or 'not explained'}")
        print("\n".join(wrong))
    print(f"{count} messages sent, {count - changed} arrived as they were, {changed} did not")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
