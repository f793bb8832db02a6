"""The effect of [[routes]] on a message, from the configuration to the mailbox."""

import asyncio
import smtplib
from email.message import EmailMessage
from pathlib import Path

import pytest

from graphrelay.clock import SystemClock
from graphrelay.daemon.signals import Reloader
from graphrelay.daemon.systemd import Notifier
from graphrelay.model import Address
from graphrelay.sandbox.graph.faults import Refuse
from graphrelay.sandbox.mailbox_items import Mail
from graphrelay.spool.queries import QueueFilter
from tests.world import World, found_in, world

SHOP = """
[[routes]]
name = "invoices"
header = ["subject: *invoice*", "X-Mailer: PHPMailer*"]
account = "website"
mailbox = "info@contoso.com"
rewrite_from = "always"
reply_to = "service@contoso.com"
bcc_always = ["archive@contoso.com", "you@example.org"]
subject_prefix = "[shop]"

[[routes]]
name = "rest"
account = "website"
"""
STAGING = """
[[routes]]
name = "staging"
account = "website"
redirect_to = "me@contoso.com"
bcc_always = ["archive@contoso.com"]
"""


def letter(subject: str, **fields: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Website <wp@contoso.com>"
    message["To"] = "you@example.org"
    message["Cc"] = "other@example.org"
    message["Subject"] = subject
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content("Hello\n")
    return message


async def send(here: World, *letters: EmailMessage) -> list[Mail]:
    """As the mailbox shows them, in the order in which they were sent."""

    def hand_in() -> None:
        with here.client() as client:
            for one in letters:
                client.send_message(one)

    before = len(here.cloud.mailboxes.submitted)
    await asyncio.to_thread(hand_in)
    mails = (await here.cloud.mailboxes.arrived(before + len(letters)))[before:]
    order = [one["Subject"] for one in letters]
    return sorted(mails, key=lambda mail: next(i for i, s in enumerate(order) if s in mail.subject))


async def test_a_route_adds_what_it_says_and_the_next_one_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, extra=SHOP) as here:
        plain, invoice, other = await send(
            here,
            letter("hi", X_Mailer="PHPMailer 6"),
            letter("Your Invoice", X_Mailer="PHPMailer 6", Reply_To="wp@contoso.com"),
            letter("my invoice", X_Mailer="mutt"),
        )
    assert invoice.mailbox == "info@contoso.com"
    assert invoice.subject == "[shop] Your Invoice"
    assert [str(one) for one in invoice.head.sender] == ["Website <info@contoso.com>"]
    assert [str(one) for one in invoice.head.reply_to] == ["service@contoso.com"]
    assert sorted(invoice.received) == [
        "archive@contoso.com",
        "other@example.org",
        "you@example.org",
    ]
    assert b"archive@" not in invoice.delivered
    assert b"X-Graphrelay-Reply-To: wp@contoso.com\r\n" in invoice.delivered
    for mail in (plain, other):
        assert mail.mailbox == "wp@contoso.com"
        assert sorted(mail.received) == ["other@example.org", "you@example.org"]
        assert not mail.head.reply_to


async def test_a_redirected_message_says_to_whom_it_would_have_gone(tmp_path: Path) -> None:
    async with world(tmp_path, extra=STAGING) as here:
        (mail,) = await send(here, letter("trial"))
        relayed = await here.event("relayed")
    whom = ("you@example.org", "other@example.org", "archive@contoso.com")
    assert mail.received == ("me@contoso.com",)
    for address in whom:
        assert f"  {address}\n" in mail.content.text
    assert (
        b"X-Graphrelay-Recipients: " + b",\r\n ".join(one.encode() for one in whom) + b"\r\n"
        in mail.delivered
    )
    assert mail.content.text.endswith("Hello\n")
    assert relayed.fields["redirected_to"] == "me@contoso.com"
    assert relayed.fields["recipients"] == [f"<{one}>" for one in whom]


async def test_a_reload_takes_over_what_a_route_adds(tmp_path: Path) -> None:
    async with world(tmp_path, extra=SHOP) as here:
        reloader = Reloader(
            here.config, found_in(here.config), here.relay, Notifier({}), SystemClock()
        )
        text = here.config.read_text(encoding="utf-8").removesuffix(SHOP)
        here.config.write_text(text + STAGING, encoding="utf-8")
        await reloader.reload()
        (mail,) = await send(here, letter("trial"))
        assert mail.received == ("me@contoso.com",)


async def test_nobody_is_taken_in_whom_no_route_takes(tmp_path: Path) -> None:
    only = '\n[[routes]]\naccount = "website"\nrecipient = ["*@example.org"]\n'
    async with world(tmp_path, extra=only) as here:

        def ask() -> tuple[int, bytes]:
            with here.client() as client:
                client.ehlo()
                client.mail("wp@contoso.com")
                assert client.rcpt("you@example.org")[0] == 250
                return client.rcpt("you@example.net")

        code, said = await asyncio.to_thread(ask)
    assert code == 550
    assert b"No route takes mail for <you@example.net>" in said


@pytest.mark.parametrize("count", [7])
async def test_many_recipients_are_split_and_each_gets_it_once(tmp_path: Path, count: int) -> None:
    limit = "\n[delivery]\nmax_recipients_per_submission = 3\n"
    names = [f"r{number}@example.org" for number in range(count)]
    async with world(tmp_path, extra=limit) as here:

        def hand_in() -> None:
            with smtplib.SMTP("127.0.0.1", here.port, timeout=30) as client:
                client.sendmail("wp@contoso.com", names, b"Subject: news\r\n\r\nHello\r\n")

        await asyncio.to_thread(hand_in)
        mails = await here.cloud.mailboxes.arrived(3)
    assert sorted(name for mail in mails for name in mail.received) == sorted(names)
    assert sorted(len(mail.received) for mail in mails) == [1, 3, 3]


async def test_a_failure_of_one_part_repeats_none_of_the_others(tmp_path: Path) -> None:
    limit = "\n[delivery]\nmax_recipients_per_submission = 1\n"
    names = ["a@example.org", "b@example.org", "c@example.org"]
    async with world(tmp_path, extra=limit) as here:
        here.cloud.faults.on(Refuse(code="ErrorServerBusy", recipient=names[1], times=1))

        def hand_in() -> None:
            with here.client() as client:
                client.sendmail("wp@contoso.com", names, b"Subject: news\r\n\r\nHello\r\n")

        await asyncio.to_thread(hand_in)
        delayed = await here.event("delayed")
        await here.until(lambda: len(here.events("relayed")) == 2)
        (waiting,) = await here.relay.spool.read(QueueFilter())
        assert waiting.recipients == (Address.parse(names[1]),)
        assert waiting.queue_id == delayed.queue_id
        await here.relay.queue.retry_now(waiting.queue_id)
        await here.until(lambda: len(here.events("relayed")) == 3)
        mails = here.cloud.mailboxes.submitted
    assert sorted(mail.received for mail in mails) == [(one,) for one in names]
    assert len(here.events("attempt")) == 4
