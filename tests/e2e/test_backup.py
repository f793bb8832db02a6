"""A backup account takes over a paused lane's mail only where the admin has configured it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from graphrelay.cli.demo import authorize
from graphrelay.clock import SystemClock
from graphrelay.control.verbs.authorizations import AuthorizationVerbs
from graphrelay.daemon.signals import Reloader
from graphrelay.daemon.systemd import Notifier
from graphrelay.sandbox.directory import CLIENT_SECRET, CONFIDENTIAL_CLIENT
from graphrelay.sandbox.graph.faults import Refuse
from graphrelay.spool.queries import HistoryOf, QueueFilter
from graphrelay.spool.values import MessageHistory
from tests.world import World, found_in, world

ALERTS = f"""
[accounts.alerts]
scenario = "any-user"
tenant = "contoso.onmicrosoft.com"
client_id = "{CONFIDENTIAL_CLIENT}"
client_secret = "{CLIENT_SECRET}"
mailboxes = ["info@contoso.com", "wp@contoso.com"]

[[routes]]
account = "website"
"""
ROUTE = '[[routes]]\naccount = "website"\n'
INFO_BY_ALERTS = '[[routes]]\naccount = "alerts"\nsender = ["info@contoso.com"]\n'
WEBSITE = "[accounts.website]\n"


def rewrite(here: World, old: str, new: str) -> None:
    text = here.config.read_text(encoding="utf-8")
    assert old in text
    here.config.write_text(text.replace(old, new), encoding="utf-8")


async def reload_with(here: World, old: str, new: str) -> None:
    reloader = Reloader(here.config, found_in(here.config), here.relay, Notifier({}), SystemClock())
    rewrite(here, old, new)
    await reloader.reload()


@asynccontextmanager
async def relay(directory: Path, *, authorized: bool = True) -> AsyncIterator[World]:
    """The account `website` has the backup `alerts`."""
    async with world(directory, scenario="user", extra=ALERTS, authorized=authorized) as here:
        await reload_with(here, WEBSITE, WEBSITE + 'backup = "alerts"\n')
        await authorize_alerts(here)
        yield here


async def authorize_alerts(here: World) -> None:
    verb = AuthorizationVerbs(here.relay.tokens).table()["authorize"]

    async def nobody(what: str) -> str:
        raise AssertionError(what)

    arguments = {"account": "alerts", "by": "the test"}
    events = [event async for event in verb(arguments, nobody)]
    assert events[-1]["kind"] == "authorized"


async def send(here: World, subject: str, author: str = "wp@contoso.com") -> None:
    def hand_in() -> None:
        with here.client() as client:
            text = f"From: Web <{author}>\r\nTo: you@example.org\r\nSubject: {subject}\r\n\r\n"
            client.sendmail(author, ["you@example.org"], text)

    await asyncio.to_thread(hand_in)


async def stored(here: World, number: int = 0) -> MessageHistory:
    queue_id = here.events("accepted")[number].queue_id
    found = await here.relay.spool.read(HistoryOf(queue_id))
    assert found is not None
    return found


async def test_nothing_goes_by_another_account_by_itself(tmp_path: Path) -> None:
    """Although that one works, and may use the same mailbox."""
    routes = ALERTS.replace(ROUTE, INFO_BY_ALERTS + ROUTE)
    async with world(tmp_path, scenario="user", extra=routes, authorized=False) as here:
        await authorize_alerts(here)
        await send(here, "waits")
        paused = await here.event("paused")
        assert paused.fields["trouble"] == "authorization"
        await send(here, "goes", "info@contoso.com")
        (mail,) = await here.cloud.mailboxes.arrived(1)
        assert mail.subject == "goes"
        await here.event("relayed")
        (row,) = await here.relay.spool.read(QueueFilter())
        assert row.lane.account == "website"
        assert here.events("moved") == []


async def test_queued_mail_goes_when_the_admin_names_a_backup(tmp_path: Path) -> None:
    async with world(tmp_path, scenario="user", extra=ALERTS, authorized=False) as here:
        for subject in ("one", "two", "three"):
            await send(here, subject)
        await here.event("paused")
        await authorize_alerts(here)
        await reload_with(here, WEBSITE, WEBSITE + 'backup = "alerts"\n')
        mails = await here.cloud.mailboxes.arrived(3)
        assert {mail.subject for mail in mails} == {"one", "two", "three"}
        assert {mail.mailbox for mail in mails} == {"wp@contoso.com"}
        assert {str(mail.sender) for mail in mails} == {"Web <wp@contoso.com>"}
        assert len(here.events("moved")) == 3
        (moved, *_) = here.events("moved")
        assert str(moved.fields["reason"]).startswith(
            "from website/wp@contoso.com to alerts/wp@contoso.com: authorization, "
        )
        await here.until(lambda: len(here.events("relayed")) == 3)  # and the disk knows it
        (part,) = (await stored(here)).parts
        assert part.plan.lane.account == "alerts"
        assert [getattr(event, "what", "attempt") for event in part.history] == ["moved", "attempt"]


async def test_a_backup_without_authorization_takes_nothing_until_it_has_one(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, scenario="user", extra=ALERTS, authorized=False) as here:
        await send(here, "waits")
        await here.event("paused")
        await reload_with(here, WEBSITE, WEBSITE + 'backup = "alerts"\n')
        (row,) = await here.relay.spool.read(QueueFilter())
        assert row.lane.account == "website"
        await authorize_alerts(here)
        await here.cloud.mailboxes.arrived(1)
        assert (await stored(here)).parts[0].plan.lane.account == "alerts"


async def test_new_mail_goes_by_the_backup_until_the_account_is_back(tmp_path: Path) -> None:
    async with relay(tmp_path, authorized=False) as here:
        await send(here, "meanwhile")
        await here.cloud.mailboxes.arrived(1)
        assert (await authorize(here.cloud, here.relay))["kind"] == "authorized"
        await send(here, "again")
        await here.cloud.mailboxes.arrived(2)
        accounts = [(await stored(here, number)).parts[0].plan.lane.account for number in (0, 1)]
    assert accounts == ["alerts", "website"]


async def test_a_full_mailbox_is_passed_by_for_the_backup_s_own(tmp_path: Path) -> None:
    async with relay(tmp_path) as here:
        here.cloud.faults.on(Refuse(code="ErrorQuotaExceeded", times=1))
        await send(here, "full")
        (mail,) = await here.cloud.mailboxes.arrived(1)
    assert mail.mailbox == "info@contoso.com"
    assert str(mail.sender) == "Web <info@contoso.com>"
    assert [str(one) for one in mail.head.reply_to] == ["Web <wp@contoso.com>"]


async def test_a_busy_exchange_moves_nothing(tmp_path: Path) -> None:
    async with relay(tmp_path) as here:
        here.cloud.faults.on(Refuse(code="ErrorServerBusy", times=1))
        await send(here, "busy")
        await here.event("delayed")
        (row,) = await here.relay.spool.read(QueueFilter())
    assert row.lane.account == "website"
    assert here.events("moved") == []
