"""Reloading: what a running relay takes over from a changed configuration."""

import asyncio
import smtplib
import threading
from pathlib import Path

import pytest

from graphrelay.clock import SystemClock
from graphrelay.control.verbs.reload import ReloadRequests
from graphrelay.daemon import signals
from graphrelay.daemon.signals import Reloader
from graphrelay.daemon.systemd import Notifier
from graphrelay.spool.queries import QueueFilter
from tests.clock import settle
from tests.world import World, found_in, world

LIMITED = """
[smtp]
max_recipients = 1

[[smtp.listeners]]
address = "127.0.0.1:0"
"""
BY_INFO = '\n[[routes]]\naccount = "website"\nmailbox = "info@contoso.com"\n'


def reloader(here: World) -> Reloader:
    return Reloader(here.config, found_in(here.config), here.relay, Notifier({}), SystemClock())


def rewrite(here: World, old: str, new: str) -> None:
    text = here.config.read_text(encoding="utf-8")
    assert old in text
    here.config.write_text(text.replace(old, new), encoding="utf-8")


def recipients_taken(client: smtplib.SMTP) -> int:
    client.rset()
    client.mail("wp@contoso.com")
    return sum(client.rcpt(f"{name}@example.org")[0] == 250 for name in "abc")


def send(here: World) -> None:
    with here.client() as client:
        client.sendmail("root@host", ["alice@contoso.com"], "Subject: x\n\nx\n")


async def test_limits_are_taken_over_and_a_client_inside_goes_on_as_it_began(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        inside = await asyncio.to_thread(here.client)
        await asyncio.to_thread(inside.ehlo)
        reloading = reloader(here)
        listener = '[[smtp.listeners]]\naddress = "127.0.0.1:0"\n'
        rewrite(here, listener, LIMITED)
        await reloading.reload()
        assert here.events("reloaded")
        assert await asyncio.to_thread(recipients_taken, inside) == 3
        newcomer = await asyncio.to_thread(here.client)
        await asyncio.to_thread(newcomer.ehlo)
        assert await asyncio.to_thread(recipients_taken, newcomer) == 1
        for client in (inside, newcomer):
            await asyncio.to_thread(client.quit)


async def test_routes_are_taken_over(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        reloading = reloader(here)
        here.config.write_text(here.config.read_text() + BY_INFO)
        await reloading.reload()
        await asyncio.to_thread(send, here)
        (mail,) = await here.cloud.mailboxes.arrived(1)
    assert mail.mailbox == "info@contoso.com"


async def test_no_mail_is_routed_by_the_old_rules_while_the_old_accounts_are_still_busy(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        tokens, answered = here.relay.tokens, threading.Event()
        asking = asyncio.create_task(tokens.ask(tokens.accounts[0], lambda _: answered.wait(60)))
        rewrite(here, "[accounts.website]", "[accounts.shop]")
        going = asyncio.create_task(here.relay.reload(found_in(here.config).settings))
        try:
            await settle(200)
            assert [account.name for account in tokens.accounts] == ["shop"]
            await asyncio.to_thread(send, here)
            (row,) = await here.relay.spool.read(QueueFilter())
            assert row.lane.account == "shop"
            assert not going.done()
        finally:
            answered.set()
            await asyncio.gather(asking, going)


async def test_a_bad_configuration_changes_nothing_and_every_mistake_is_reported(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        reloading = reloader(here)
        rewrite(here, 'scenario = "any-user"', 'scenario = "everybody"\ncolour = "red"')
        await reloading.reload()
        assert "must be one of" in str(here.events("reload-refused")[0].fields["reason"])
        assert not here.events("reloaded")
        await asyncio.to_thread(send, here)
        await here.cloud.mailboxes.arrived(1)


async def test_an_address_that_is_taken_refuses_the_whole_reload(tmp_path: Path) -> None:
    blocking = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    async with blocking, world(tmp_path) as here:
        before = here.relay.addresses
        reloading = reloader(here)
        port = blocking.sockets[0].getsockname()[1]
        rewrite(here, '"127.0.0.1:0"', f'"127.0.0.1:{port}"')
        here.config.write_text(here.config.read_text() + BY_INFO)
        await reloading.reload()
        assert f"127.0.0.1:{port}" in str(here.events("reload-refused")[0].fields["reason"])
        assert here.relay.addresses == before
        await asyncio.to_thread(send, here)
        (mail,) = await here.cloud.mailboxes.arrived(1)
    assert mail.mailbox == "wp@contoso.com"


async def test_a_listener_of_no_possible_name_is_refused_and_the_relay_lives_on(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        before = here.relay.addresses
        reloading = reloader(here)
        rewrite(here, '"127.0.0.1:0"', '"relay..example:2525"')
        await reloading.reload()
        assert "relay..example:2525" in str(here.events("reload-refused")[0].fields["reason"])
        assert here.relay.addresses == before


async def test_an_exception_in_a_reload_is_logged_and_the_next_reload_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more_threads(_: object, **_options: object) -> None:
        raise RuntimeError("can't start new thread")

    async with world(tmp_path) as here:
        requests = ReloadRequests()
        reloading = asyncio.create_task(reloader(here).run(requests))
        with monkeypatch.context() as exhausted:
            exhausted.setattr(signals, "ConfigReading", no_more_threads)
            requests.ask()
            await settle()
        assert not reloading.done()
        (broke,) = here.events("reload-broke")
        assert "can't start new thread" in str(broke.fields["reason"])
        requests.ask()
        async with asyncio.timeout(30):
            while not here.events("reloaded"):
                await settle()
        reloading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reloading


async def test_a_table_that_needs_a_restart_is_named(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        reloading = reloader(here)
        here.config.write_text(here.config.read_text() + '\n[log]\nlevel = "debug"\n')
        await reloading.reload()
        await reloading.reload()  # reporting it once does not put it into effect
        told = here.events("restart-needed")
    assert [entry.fields["changed"] for entry in told] == [["log"], ["log"]]


async def test_what_is_doubtful_in_the_new_configuration_is_logged(tmp_path: Path) -> None:
    route = '\n[[routes]]\naccount = "website"\nsender = ["contoso.com"]\n'
    async with world(tmp_path) as here:
        reloading = reloader(here)
        here.config.write_text(here.config.read_text() + route)
        await reloading.reload()
        doubts = [str(doubt.fields["reason"]) for doubt in here.events("config-warning")]
    assert any('"contoso.com" matches no address' in doubt for doubt in doubts)
