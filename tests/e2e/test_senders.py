"""In whose name mail is sent: own and shared mailboxes, aliases, several accounts, a default."""

import asyncio
import smtplib
from pathlib import Path

import pytest

from graphrelay.clock import SystemClock
from graphrelay.daemon.signals import Reloader
from graphrelay.daemon.systemd import Notifier
from graphrelay.oauth.scenario import permissions
from graphrelay.sandbox.directory import CLIENT_SECRET, CONFIDENTIAL_CLIENT, User
from graphrelay.sandbox.mailbox_items import Mail
from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.e2e.test_backup import authorize_alerts
from tests.smtp.passwords import quick_hash
from tests.world import World, found_in, world

OWN = 'mailboxes = ["wp@contoso.com", "info@contoso.com"]'
ANY = 'mailboxes = ["wp@contoso.com", "*@contoso.com"]'
SCANNER = f"""
[[smtp.listeners]]
address = "127.0.0.1:0"
auth = "required"

[[smtp.users]]
name = "scanner"
password_hash = "{quick_hash("secret")}"
senders = ["i*@contoso.com"]
"""
INFO = '\n[[routes]]\naccount = "website"\nmailbox = "info@contoso.com"\n'


def user(here: World, upn: str) -> User:
    found = here.cloud.directory.user(upn)
    assert found is not None
    return found


async def may_use(here: World, *mailboxes: str) -> None:
    """More mailboxes in the configuration, in effect at once."""
    listed = ", ".join(f'"{one}"' for one in ("wp@contoso.com", "info@contoso.com", *mailboxes))
    await configured(here, OWN, f"mailboxes = [{listed}]")


async def configured(here: World, old: str, new: str) -> None:
    """A change of the configuration, in effect at once."""
    reloader = Reloader(here.config, found_in(here.config), here.relay, Notifier({}), SystemClock())
    text = here.config.read_text(encoding="utf-8")
    assert old in text
    here.config.write_text(text.replace(old, new), encoding="utf-8")
    await reloader.reload()


async def sent(here: World, author: str) -> Mail:
    """The result of a message from `author`."""
    before = len(here.cloud.mailboxes.submitted)

    def hand_in() -> None:
        with here.client() as client:
            text = f"From: {author}\r\nTo: you@example.org\r\nSubject: x\r\n\r\ntext\r\n"
            client.sendmail("root@host.example", ["you@example.org"], text)

    await asyncio.to_thread(hand_in)
    return (await here.cloud.mailboxes.arrived(before + 1))[before]


async def test_send_as_goes_by_the_users_own_mailbox_with_the_other_in_from(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, scenario="user") as here:
        mail = await sent(here, "Info <info@contoso.com>")
    assert mail.mailbox == "wp@contoso.com"
    assert str(mail.sender) == "Info <info@contoso.com>"
    assert b"\r\nSender:" not in b"\r\n" + mail.delivered


async def test_a_shared_mailbox_may_submit_by_itself(tmp_path: Path) -> None:
    """So that the copy is in its own Sent Items; that needs Full Access in Exchange."""
    async with world(tmp_path, scenario="user", extra=INFO) as here:
        user(here, "wp@contoso.com").full_access.add("info@contoso.com")
        mail = await sent(here, "Info <info@contoso.com>")
    assert mail.mailbox == "info@contoso.com"
    assert str(mail.sender) == "Info <info@contoso.com>"


async def test_send_on_behalf_shows_both(tmp_path: Path) -> None:
    async with world(tmp_path, scenario="user") as here:
        user(here, "wp@contoso.com").send_on_behalf.add("alice@contoso.com")
        await may_use(here, "alice@contoso.com")
        mail = await sent(here, "Alice <alice@contoso.com>")
    assert mail.mailbox == "wp@contoso.com"
    assert b"From: Alice <alice@contoso.com>\r\n" in mail.delivered
    assert b"Sender: Website <wp@contoso.com>\r\n" in mail.delivered


async def test_an_alias_may_stand_in_from(tmp_path: Path) -> None:
    """Exchange shows the primary address unless the tenant allows aliases."""
    async with world(tmp_path, scenario="user") as here:
        user(here, "wp@contoso.com").addresses.append("shop@contoso.com")
        await may_use(here, "shop@contoso.com")
        mail = await sent(here, "Shop <shop@contoso.com>")
    assert mail.mailbox == "wp@contoso.com"
    assert b"From: Shop <shop@contoso.com>\r\n" in mail.raw


async def test_several_accounts_and_a_default_one(tmp_path: Path) -> None:
    accounts = f"""
[accounts.alerts]
scenario = "any-user"
tenant = "contoso.onmicrosoft.com"
client_id = "{CONFIDENTIAL_CLIENT}"
client_secret = "{CLIENT_SECRET}"
mailboxes = ["*@contoso.com"]

[[routes]]
sender = ["printer@*", "alice@*"]
account = "alerts"
mailbox = "sender"

[[routes]]
account = "website"
"""
    async with world(tmp_path, scenario="user", extra=accounts) as here:
        await authorize_alerts(here)
        printer = await sent(here, "Printer <printer@contoso.com>")
        alice = await sent(here, "alice@contoso.com")
        other = await sent(here, "Cron <root@host.example>")
    assert (printer.mailbox, str(printer.sender)) == (
        "printer@contoso.com",
        "Printer <printer@contoso.com>",
    )
    assert alice.mailbox == "alice@contoso.com"
    assert (other.mailbox, str(other.sender)) == ("wp@contoso.com", "Cron <wp@contoso.com>")
    assert [str(one) for one in other.head.reply_to] == ["Cron <root@host.example>"]


async def test_a_login_is_judged_alike_at_mail_from_and_by_what_the_message_says(
    tmp_path: Path,
) -> None:
    """Its pattern is neither an address nor a whole domain."""

    def hand_in(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.login("scanner", "secret")
            assert client.mail("boss@contoso.com")[0] == 550
            assert client.rset()[0] == 250
            for author, code in (("boss@contoso.com", 550), ("Info@contoso.com", 250)):
                assert client.mail("intranet@contoso.com")[0] == 250
                assert client.rcpt("you@example.org")[0] == 250
                assert client.data(f"From: {author}\r\nSubject: x\r\n\r\ntext\r\n")[0] == code

    async with world(tmp_path, scenario="user", extra=SCANNER) as here:
        port = int(here.relay.server.addresses[-1].rpartition(":")[2])
        await asyncio.to_thread(hand_in, port)
        (mail,) = await here.cloud.mailboxes.arrived(1)
        assert len(here.events("refused")) == 2
    assert str(mail.sender) == "Info@contoso.com"


# --- The sign-in name, From and the mailbox are three things --------------------------------------


@pytest.mark.parametrize("by_address", [False, True])
@pytest.mark.parametrize("author", ["wp@contoso.com", "website@contoso.com", "cron@host.example"])
async def test_the_sign_in_name_need_not_be_an_address(
    author: str, by_address: bool, tmp_path: Path
) -> None:
    """Nothing but Mail.Send is needed, whichever name of the own mailbox the configuration has."""
    own = 'address = "website@contoso.com"\naliases = ["shop@contoso.com"]\n'
    settings = MailSettings(users_by_address=by_address)
    async with world(tmp_path, scenario="user", account=own, mail_settings=settings) as here:
        user(here, "wp@contoso.com").addresses[:] = ["website@contoso.com", "shop@contoso.com"]
        await configured(here, OWN, 'mailboxes = ["shop@contoso.com"]')
        mail = await sent(here, author)
        needed = permissions(here.relay.tokens.accounts[0])
    assert (mail.mailbox, str(mail.sender)) == ("website@contoso.com", "website@contoso.com")
    assert [one.name for one in needed] == ["Mail.Send", "offline_access"]


@pytest.mark.parametrize("by_address", [False, True])
@pytest.mark.parametrize("known_by", ["info.shared@contoso.com", "object id"])
async def test_a_mailbox_is_found_by_its_user_name_or_object_id(
    known_by: str, by_address: bool, tmp_path: Path
) -> None:
    settings = MailSettings(users_by_address=by_address)
    async with world(tmp_path, scenario="any-user", mail_settings=settings) as here:
        info = user(here, "info@contoso.com")
        info.upn = "info.shared@contoso.com"
        name = info.oid if known_by == "object id" else known_by
        text = f'user_ids = {{ "info@contoso.com" = "{name}" }}'
        await configured(here, ANY, f"{ANY}\n{text}")
        mail = await sent(here, "info@contoso.com")
    assert (mail.mailbox, str(mail.sender)) == ("info@contoso.com", "info@contoso.com")
