"""What legacy senders do on the wire, and what the mailbox then shows.

The golden dialogs that end in `B:` lines (tests/smtp/dialog.py), played against the whole relay. To
add one, write down what the device sends; the failure shows the content of the mailbox.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from graphrelay.sandbox.mailbox_items import Mail
from tests.smtp.conftest import Certificates, make_certificates
from tests.smtp.dialog import FOLDER, Dialog, load, play, words
from tests.smtp.passwords import quick_hash
from tests.smtp.reception import House, MemoryReception
from tests.world import World, world

PATHS = [path for path in sorted(FOLDER.glob("*.txt")) if "\nB: " in path.read_text("utf-8")]
SENDERS = {
    "helo-only-with-login",
    "printer-without-login-or-tls",
    "login-in-lower-case-with-inline-name",
    "very-long-line",
    "bare-line-feeds-in-the-message",
    "null-sender",
    "from-outside-the-tenant",
    "nothing-but-text-and-blind-copies",
    "folded-and-encoded-from",
    "comma-and-at-sign-in-the-name",
    "raw-eight-bit",
    "headers-name-other-people",
    "one-transaction-for-each-recipient",
    "a-burst-of-messages",
    "many-recipients",
    "everything-in-one-packet",
    "quit-behind-the-final-dot",
    "hangs-up-behind-the-final-dot",
    "too-big-as-announced",
}
"""Every habit that has been seen in the field and ends in mail."""

SHOWN: dict[str, Callable[[Mail], str]] = {
    "received": lambda mail: " ".join(sorted(mail.received)),
    "from": lambda mail: " ".join(map(str, mail.head.sender)),
    "to": lambda mail: " ".join(map(str, mail.head.to)),
    "cc": lambda mail: " ".join(map(str, mail.head.cc)),
    "reply-to": lambda mail: " ".join(map(str, mail.head.reply_to)),
    "subject": lambda mail: mail.subject,
    "text": lambda mail: " / ".join(mail.content.text.splitlines()),
    "html": lambda mail: mail.content.html.strip(),
    "message-id": lambda mail: mail.head.message_id,
    "date": lambda mail: mail.head.date,
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def configuration(dialog: Dialog, certificate: Path) -> str:
    """The listener that the dialog asks for, behind the world's own."""
    known = dict(dialog.settings)
    limit, auth, tls = known.get("limit", "10000000"), known.get("auth", "off"), known.get("tls")
    lines = ["[smtp]", 'hostname = "relay.example"', f'max_message_size = "{limit} B"']
    lines += ["max_recipients = 2000", "[[smtp.listeners]]", 'address = "127.0.0.1:0"']
    lines += [f'auth = "{auth}"', "auth_in_clear = true"]
    if tls:
        lines += [f'tls = "{tls}"', f'certificate_file = "{certificate}"']
    for login in dialog.logins():
        lines += ["[[smtp.users]]", f'name = "{login.name}"']
        lines += [f'password_hash = "{quick_hash("secret")}"']
    if most := known.get("submission"):
        lines += ["[delivery]", f"max_recipients_per_submission = {most}"]
    return "\n".join(lines) + "\n"


def as_accepted(dialog: Dialog) -> Dialog:
    """Queue ids are the spool's here."""
    steps = (
        replace(step, what=re.sub(r"queued as Q\d+", "queued as *", step.what))
        for step in dialog.steps
    )
    return replace(dialog, steps=tuple(steps))


def expected(dialog: Dialog) -> list[dict[str, str]]:
    return [words(f"B {step.what}")[1] for step in dialog.steps if step.who == "B"]


class WholeHouse(House):
    """The relay, at the dialog's listener."""

    @property
    def port(self) -> int:
        return int(self.server.addresses[-1].rpartition(":")[2])


def house(here: World) -> WholeHouse:
    return WholeHouse(here.relay.server, MemoryReception(), here.entries)


def fits(mail: Mail, wanted: dict[str, str]) -> bool:
    return all(fnmatchcase(SHOWN[name](mail), value) for name, value in wanted.items())


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
async def test_what_the_mailbox_shows(
    path: Path, tmp_path: Path, certificates: Certificates
) -> None:
    dialog = load(path)
    text = configuration(dialog, certificates.file)
    async with world(
        tmp_path, scenario="user", extra=text, account="large_messages = true\n"
    ) as here:
        await play(as_accepted(dialog), house(here), certificates.trust, without="MJ")
        wanted = expected(dialog)
        mails = await here.cloud.mailboxes.arrived(len(wanted))
    shown = [{name: show(mail) for name, show in SHOWN.items()} for mail in mails]
    assert len(mails) == len(wanted)
    for one in wanted:
        assert sum(fits(mail, one) for mail in mails) == wanted.count(one), (one, shown)


def test_every_habit_has_its_dialog() -> None:
    assert Counter(path.stem for path in PATHS) == Counter(SENDERS)
