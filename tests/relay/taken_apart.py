"""The relay's result for a message that it splits into parts, compared with that of another parser.

`differences` compares subject, the name of From, text, files by their hash and name, and which of
them are inline. What readers may legitimately see differently is normalized: runs of white space,
controls, line ends of files, what no file system takes in a name, and names of what has none.
"""

import hashlib
import html
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import getaddresses
from pathlib import Path

from graphrelay.sandbox.mailbox_items import Mail

POSTAL = "postal-mime@4.0.0"
_SCRIPT = Path(__file__).with_name("postal.mjs")


@dataclass(frozen=True, slots=True)
class File:
    """One attachment; `name` is empty where the message gives none."""

    name: str
    sha256: str
    inline: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader sees of a message."""

    subject: str
    name: str
    text: str
    is_html: bool
    files: tuple[File, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What the relay makes of a message, and what the other parser reads."""

    what: str
    """subject, name, text, files, file name or inline."""
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"{self.what}: {self.ours[:80]!r}, not {self.theirs[:80]!r}"


def of_relay(mail: Mail) -> Seen:
    """What was made of JSON; Python's email reads what the sandbox composed of it."""
    message = message_from_bytes(mail.delivered)
    files = []
    for part in message.walk():
        octets = part.get_payload(decode=True)
        if part.get_content_disposition() and isinstance(octets, bytes):
            name, inline = str(part.get_filename()), part.get_content_disposition() == "inline"
            octets = octets.replace(b"\r\n", b"\n").rstrip(b"\n")
            files.append(File(name, hashlib.sha256(octets).hexdigest(), inline))
    content = mail.content
    [(name, _)] = getaddresses([str(message["From"]).replace("\r\n", "")])
    return Seen(
        str(make_header(decode_header(str(message["Subject"] or "").replace("\r\n", "")))),
        str(make_header(decode_header(name))),
        content.html or content.text,
        bool(content.html),
        tuple(files),
    )


def by_postal(folder: Path, paths: list[Path]) -> list[Seen | None]:
    """What postal-mime reads; `None` where it gave up. It is installed in `folder` if need be."""
    if not (folder / "node_modules").exists():
        install = [
            "npm",
            "install",
            "--silent",
            "--ignore-scripts",
            "--prefix",
            str(folder),
            POSTAL,
        ]
        subprocess.run(install, check=True)
    done = subprocess.run(
        ["node", str(_SCRIPT), str(folder)],
        input="".join(f"{path}\n" for path in paths),
        capture_output=True,
        text=True,
        check=True,
    )
    return [_seen(json.loads(line)) for line in done.stdout.split("\n")[:-1]]


def _seen(read: dict[str, object]) -> Seen | None:
    if "error" in read:
        return None
    shown = str(read["html"])
    files = tuple(
        File(str(one["name"]), one["sha256"], _is_shown(one["contentId"], shown))
        for one in read["files"]  # type: ignore[attr-defined]
    )
    text = shown or str(read["text"])
    return Seen(str(read["subject"]), str(read["name"]), text, bool(shown), files)


def _is_shown(content_id: str, shown: str) -> bool:
    return bool(content_id) and f"cid:{content_id}" in shown


def differences(ours: Seen, theirs: Seen) -> Iterator[Difference]:
    """All differences."""
    if _plain(ours.subject) != _plain(theirs.subject):
        yield Difference("subject", ours.subject, theirs.subject)
    if _plain(ours.name) != _plain(theirs.name.replace("@", " at ")):
        yield Difference("name", ours.name, theirs.name)
    if not _same_text(ours, theirs):
        yield Difference("text", words(ours), words(theirs))
    mine = Counter(file.sha256 for file in ours.files)
    other = Counter(file.sha256 for file in theirs.files)
    if mine != other:
        yield Difference("files", _names(ours), _names(theirs))
        return
    by_hash: dict[str, list[File]] = {}
    for file in ours.files:
        by_hash.setdefault(file.sha256, []).append(file)
    for file in theirs.files:
        found = by_hash[file.sha256].pop(0)
        if file.name and _file_name(found.name) != _file_name(file.name):
            yield Difference("file name", found.name, file.name)
        if found.inline != file.inline:
            yield Difference("inline", f"{found.name}: {found.inline}", str(file.inline))


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[\x00-\x20\x7f-\x9f\ufffd]", " ", text).split())


def _file_name(name: str) -> str:
    name = re.split(r"[/\\]", name)[-1]
    return re.sub(r'[\x00-\x1f<>:"|?*_ ]+', "_", name).strip("_. ")


def _same_text(ours: Seen, theirs: Seen) -> bool:
    """All of what one shows, in order, or more: how texts beside a text are shown differs."""
    mine, other = words(ours), words(theirs)
    return mine == other or (bool(other) and (other in mine or mine in other))


def words(seen: Seen) -> str:
    """The text without markup, white space and controls."""
    text = seen.text
    if seen.is_html:
        text = re.sub(
            r"<(style|script|title)\b.*?</\1\s*>|<!--.*?-->|<[^<>]*>", " ", text, flags=re.S
        )
        text = html.unescape(text)
    return re.sub(r"[\s\x00-\x20\ufffd>]+", "", text)


def _names(seen: Seen) -> str:
    return ", ".join(f"{file.name or '-'}:{file.sha256[:6]}" for file in seen.files) or "none"
