"""The whole relay, and sendmail with the relay running and stopped."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphrelay.config import load
from graphrelay.daemon.relay import CannotStart, running
from graphrelay.daemon.wiring import wired
from tests.world import World, world

LETTER = b"To: anna@example.org\nBcc: bert@example.net\nSubject: waiting\n\nhello\n"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "mail"
    folder.mkdir()
    return folder


def settings(spool: Path) -> str:
    socket = spool.parent / "smtp.sock"
    return f'\n[[smtp.listeners]]\naddress = "unix:{socket}"\n[drop]\ndirectory = "{spool}"\n'


async def sendmail(spool: Path, *arguments: str, stdin: bytes = LETTER) -> str:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "graphrelay.sendmail", *arguments],
        input=stdin,
        capture_output=True,
        check=True,
        env={
            "PATH": os.environ["PATH"],
            "GRAPHRELAY_SOCKET": f"unix:{spool.parent / 'smtp.sock'}",
            "GRAPHRELAY_DROP": str(spool / "drop"),
        },
    )
    return (done.stdout + done.stderr).decode()


async def received(here: World, count: int) -> list[tuple[list[str], bytes]]:
    mails = await here.cloud.mailboxes.arrived(count, timeout=30)
    return [(sorted(mail.received), mail.delivered) for mail in mails]


async def test_mail_left_while_the_relay_was_not_running_arrives_when_it_is_back(
    tmp_path: Path, spool: Path
) -> None:
    async with world(tmp_path, extra=settings(spool)):
        pass
    said = await sendmail(spool, "-v", "-t", "-i", "-f", "wp@contoso.com")
    assert "it waits in" in said
    async with world(tmp_path, extra=settings(spool)) as here:
        taken = await here.event("drop-taken")
        ((people, octets),) = await received(here, 1)
    assert people == ["anna@example.org", "bert@example.net"]
    assert b"Subject: waiting" in octets
    assert b"bert" not in octets
    assert taken.fields["user"]
    (accepted,) = here.events("accepted")
    assert accepted.fields["client"] == f"unix:{taken.fields['user']}"
    assert accepted.fields["listener"] == f"unix:{tmp_path / 'smtp.sock'}"
    assert list((spool / "drop").iterdir()) == []


async def test_with_the_relay_there_nothing_waits(tmp_path: Path, spool: Path) -> None:
    async with world(tmp_path, extra=settings(spool)) as here:
        said = await sendmail(spool, "-v", "-t", "-i", "-f", "wp@contoso.com")
        assert "250 2.0.0 Ok: queued as" in said
        await received(here, 1)
        assert here.events("drop-taken") == []


async def test_two_relays_never_share_a_folder(tmp_path: Path, spool: Path) -> None:
    async with world(tmp_path, extra=settings(spool)) as here:
        second = tmp_path / "second.toml"
        text = here.config.read_text("utf-8")
        second.write_text(text.replace(str(tmp_path / "state"), str(tmp_path / "state2")), "utf-8")
        without = second.read_text("utf-8").replace("smtp.sock", "smtp2.sock")
        second.write_text(without, "utf-8")
        with pytest.raises(CannotStart, match="another relay picks up the mail"):
            async with running(wired(load(second)), None, lambda _: None):
                pass


async def test_a_missing_folder_is_reported_at_start(tmp_path: Path) -> None:
    missing = f'\n[drop]\ndirectory = "{tmp_path / "missing"}"\n'
    with pytest.raises(CannotStart, match=r"tmpfiles\.d/graphrelay\.conf"):
        async with world(tmp_path, extra=missing):
            pass
