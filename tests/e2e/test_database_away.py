"""A relay whose queue is in PostgreSQL: what clients see while that is away, and afterwards."""

import asyncio
import signal
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.spool.postgres_server import PostgresServer, running
from tests.world import World, world


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """One that a test may stop."""
    with running() as server:
        yield server


def send(here: World, subject: str, octets: int = 100) -> tuple[int, str]:
    """The reply to the message."""
    with here.client() as client:
        try:
            client.sendmail(
                "wp@contoso.com", ["alice@contoso.com"], f"Subject: {subject}\n\n{'x' * octets}\n"
            )
        except smtplib.SMTPDataError as refused:
            text = refused.smtp_error
            return refused.smtp_code, text if isinstance(text, str) else text.decode()
    return 250, ""


async def taken_again(here: World, subject: str) -> None:
    async with asyncio.timeout(30):
        while (await asyncio.to_thread(send, here, subject))[0] != 250:
            pass


async def test_a_server_that_is_away_is_a_451_and_the_relay_goes_on_when_it_is_back(
    tmp_path: Path, server: PostgresServer
) -> None:
    url = f'[spool]\nurl = "{server.url()}"\nlease = "2s"\n'
    async with world(tmp_path, extra=url) as here:
        await asyncio.to_thread(send, here, "before")
        await here.cloud.mailboxes.arrived(1)
        server.stop(signal.SIGKILL)
        for octets in (100, 1_000_000):
            code, text = await asyncio.to_thread(send, here, "meanwhile", octets)
            assert (code, text[:5]) == (451, "4.3.0")
        assert await here.event("spool-away")
        await asyncio.to_thread(server.start)
        await taken_again(here, "after")
        mails = await here.cloud.mailboxes.arrived(2)
    assert [mail.head.subject for mail in mails] == ["before", "after"]


async def test_a_server_that_is_read_only_is_a_451_until_it_can_be_written(
    tmp_path: Path, server: PostgresServer
) -> None:
    url = f'[spool]\nurl = "{server.url()}"\nlease = "2s"\n'

    def read_only(state: str) -> None:
        server.execute(f"ALTER SYSTEM SET default_transaction_read_only = {state}")
        server.execute("SELECT pg_reload_conf()")

    async with world(tmp_path, extra=url) as here:
        await asyncio.to_thread(read_only, "on")
        code, text = await asyncio.to_thread(send, here, "meanwhile")
        assert (code, text[:5]) == (451, "4.3.0")
        await asyncio.to_thread(read_only, "off")
        await taken_again(here, "after")
        mails = await here.cloud.mailboxes.arrived(1)
    assert [mail.head.subject for mail in mails] == ["after"]
