"""What goes wrong in practice: each problem is reported so that a person can act on it, and no mail
is lost."""

import asyncio
import contextlib
import os
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphrelay.cli.demo import authorize
from graphrelay.config import load
from graphrelay.daemon.relay import CannotStart, running
from graphrelay.daemon.wiring import wired
from graphrelay.sandbox.faults import CutBefore
from tests.tools import machine_cannot, needs_root
from tests.world import World, world


def send(here: World, subject: str = "Hello", size: int = 100) -> None:
    with here.client() as client:
        client.sendmail(
            "wp@contoso.com", ["alice@contoso.com"], f"Subject: {subject}\n\n{'x' * size}\n"
        )


async def test_an_unreachable_entra_makes_mail_wait_and_names_the_trouble(tmp_path: Path) -> None:
    async with world(tmp_path, authorized=False) as here:
        here.cloud.faults.on(CutBefore(part="entra"))
        end = await authorize(here.cloud, here.relay)
        assert end["kind"] == "refused"
        assert "localhost cannot be reached: " in end["reason"]
        await asyncio.to_thread(send, here)
        here.cloud.faults.clear()
        assert (await authorize(here.cloud, here.relay))["kind"] == "authorized"
        (mail,) = await here.cloud.mailboxes.arrived(1)
    assert mail.received == ("alice@contoso.com",)


async def test_a_wrong_client_id_is_refused_with_what_to_do(tmp_path: Path) -> None:
    async with world(tmp_path, authorized=False) as here:
        config = here.config.read_text(encoding="utf-8")
        client_id = here.relay.tokens.accounts[0].client_id
        other = "00000000-1111-2222-3333-444444444444"
        (tmp_path / "second").mkdir()
        second = tmp_path / "second" / "config.toml"
        text = config.replace(client_id, other).replace(str(tmp_path), str(tmp_path / "second"))
        second.write_text(text.replace(str(tmp_path / "second" / "ca"), str(tmp_path / "ca")))
        async with running(wired(load(second)), None, lambda _: None) as relay:
            end = await authorize(here.cloud, relay)
            status = await relay.tokens.status("website")
    assert end["kind"] == "refused"
    assert "AADSTS700016" in end["reason"]
    assert other in end["reason"]
    assert "client_id" in end["reason"]
    assert status.word == "Refused"


async def test_a_vault_that_cannot_be_read_pauses_and_says_which_file(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        assert (await here.relay.tokens.status("website")).is_well
    key = next(path for path in (tmp_path / "state").rglob("*key*") if path.is_file())
    original = key.read_bytes()
    key.write_bytes(os.urandom(len(original)))
    async with world(tmp_path, authorized=False) as here:
        await asyncio.to_thread(send, here)
        paused = await here.event("paused")
        assert str(key) in str(paused.fields["reason"])
        assert "Restore the right key" in str(paused.fields["remedy"])
        status = await here.relay.tokens.status("website")
        assert status.word == "Vault problem"
    key.write_bytes(original)
    async with world(tmp_path) as here:
        (mail,) = await here.cloud.mailboxes.arrived(1)
    assert mail.received == ("alice@contoso.com",)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB of its own."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(mounted)]
    needs_root()
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        machine_cannot("mounts", made.stderr)
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


async def test_a_full_disk_is_a_452_and_the_relay_goes_on_when_there_is_room(
    small_disk: Path,
) -> None:
    async with world(small_disk) as here:
        await asyncio.to_thread(send, here, "before")
        await here.cloud.mailboxes.arrived(1)
        filler = small_disk / "filler"
        with filler.open("wb", 0) as full, contextlib.suppress(OSError):
            while full.write(bytes(100_000)):
                pass
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await asyncio.to_thread(send, here, "while full")
        assert refused.value.smtp_code == 452
        told = [entry for entry in here.entries if "space" in str(entry.fields).lower()]
        assert any(str(small_disk) in str(entry.fields) for entry in told)
        filler.unlink()
        await asyncio.to_thread(send, here, "after")
        mails = await here.cloud.mailboxes.arrived(2)
    assert [mail.head.subject for mail in mails] == ["before", "after"]


async def test_a_port_in_use_is_reported_with_its_address(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        text = here.config.read_text(encoding="utf-8")
        text = text.replace("127.0.0.1:0", f"127.0.0.1:{here.port}")
        (tmp_path / "second").mkdir()
        second = tmp_path / "second" / "config.toml"
        second.write_text(text.replace(f"{tmp_path}/state", f"{tmp_path}/second/state"))
        with pytest.raises(CannotStart, match=rf"127\.0\.0\.1:{here.port}.*in use"):
            async with running(wired(load(second)), None, lambda _: None):
                pass


async def test_a_second_relay_on_the_same_spool_is_refused_with_the_first_ones_pid(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        with pytest.raises(CannotStart, match=rf"in use by process {os.getpid()}"):
            async with running(wired(load(here.config)), None, lambda _: None):
                pass


async def test_a_missing_ca_file_is_reported_with_its_name(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        text = here.config.read_text(encoding="utf-8")
        text = text.replace(str(here.cloud.ca_file), str(tmp_path / "none.pem"))
        (tmp_path / "second.toml").write_text(text)
        with pytest.raises(CannotStart, match=r"none\.pem: no such file"):
            async with running(wired(load(tmp_path / "second.toml")), None, lambda _: None):
                pass
