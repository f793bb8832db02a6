"""`graphrelay backup` beside a relay at work, and `restore` into another one."""

import asyncio
import os
from pathlib import Path

from tests.e2e.commands import graphrelay
from tests.world import World, world


def send(here: World, subject: str, octets: int = 10) -> None:
    with here.client() as client:
        text = f"From: wp@contoso.com\r\nSubject: {subject}\r\n\r\n" + "x" * 70 + "\r\n"
        text += ("y" * 70 + "\r\n") * (octets // 72)
        client.sendmail("wp@contoso.com", ["alice@contoso.com"], text)


async def test_mail_of_a_running_relay_comes_back_held_and_goes_out_when_released(
    tmp_path: Path,
) -> None:
    backup = tmp_path / "backup.tar"
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    async with world(tmp_path / "one") as here:
        await here.relay.tokens.revoke(here.relay.tokens.accounts[0].name)
        await asyncio.to_thread(send, here, "small")
        await asyncio.to_thread(send, here, "large", 200_000)
        keyless = await graphrelay(here.config, "backup", str(backup))
        assert (keyless.code, keyless.err) == (0, "")
        assert f"{backup}: " in keyless.out
        assert "verified" in keyless.out
        assert "without the vault's key" in keyless.out
        config = tmp_path / "other" / "config.toml"
        config.write_text(f"state_directory = '{tmp_path / 'other' / 'state'}'\n", "utf-8")
        advised = await graphrelay(config, "restore", str(backup))
        assert f"put it back as {tmp_path / 'other' / 'state' / 'vault.key'}, or" in advised.out
        assert (await graphrelay(here.config, "backup", "--with-key", str(backup))).code == 0
        assert await refused_while_it_runs(here, backup)
    assert backup.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "one", "other"]
    restored = await graphrelay(config, "restore", "--replace", str(backup))
    assert (restored.code, restored.err) == (0, "")
    assert "2 messages are held" in restored.out
    async with world(tmp_path / "other") as there:
        released = await graphrelay(there.config, "queue", "release", "--all")
        assert released.code == 0
        mail = await there.cloud.mailboxes.arrived(2)
    assert sorted(one.subject for one in mail) == ["large", "small"]


async def refused_while_it_runs(here: World, backup: Path) -> bool:
    refused = await graphrelay(here.config, "restore", "--replace", str(backup))
    return refused.code == 1 and "own it. Stop the relay first" in refused.err


async def test_a_backup_that_fails_leaves_the_old_one_and_says_so(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"state_directory = '{tmp_path / 'state'}'\n", "utf-8")
    backup = tmp_path / "backup.tar"
    backup.write_bytes(b"the old one")
    nothing = await graphrelay(config, "backup", str(backup))
    assert (nothing.code, nothing.out) == (1, "")
    assert "has no queue" in nothing.err
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "spool.db").write_bytes(os.urandom(9000))
    (tmp_path / "state" / "bodies").mkdir()
    damaged = await graphrelay(config, "backup", str(backup))
    assert damaged.code == 1
    assert "no backup was made" in damaged.err
    assert backup.read_bytes() == b"the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("backup.tar", "config.toml", "state")
    ]


async def test_a_file_that_is_no_backup_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"state_directory = '{tmp_path / 'state'}'\n", "utf-8")
    (tmp_path / "x.tar").write_bytes(b"no backup")
    refused = await graphrelay(config, "restore", str(tmp_path / "x.tar"))
    assert refused.code == 1
    assert "Nothing was changed" in refused.err
    assert not (tmp_path / "state").exists()


async def test_a_backup_goes_to_a_file_and_replaces_nothing_else(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"state_directory = '{tmp_path / 'state'}'\n", "utf-8")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "spool.db").touch()
    pipe, within = tmp_path / "pipe", tmp_path / "state" / "spool.db" / "x.tar"
    os.mkfifo(pipe)
    refused = await graphrelay(config, "backup", str(pipe))
    assert (refused.code, refused.out) == (1, "")
    assert "is a device or a pipe" in refused.err
    assert pipe.is_fifo()
    for impossible in (within, tmp_path / ("a" * 250)):
        refused = await graphrelay(config, "backup", str(impossible))
        assert (refused.code, refused.err.count("\n")) == (1, 1)
        assert "no backup was made" in refused.err
