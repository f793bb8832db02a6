"""A relay opens its parts, or says in one sentence why it cannot, and leaves nothing open."""

import socket
from pathlib import Path

import pytest

from graphrelay.config import load
from graphrelay.daemon.relay import CannotStart, as_cannot_start, running, verbs_without_daemon
from graphrelay.daemon.wiring import wired
from graphrelay.oauth.vault.key import CREDENTIAL_NAME, new_key_text
from tests.cli.test_commands import configured
from tests.clock import FakeClock


def test_what_keeps_a_part_from_opening_becomes_one_exception() -> None:
    with pytest.raises(CannotStart, match="No space left"), as_cannot_start():
        raise OSError(28, "No space left on device")
    with pytest.raises(ZeroDivisionError), as_cannot_start():
        raise ZeroDivisionError


async def test_an_address_in_use_is_named_and_the_spool_is_closed_again(tmp_path: Path) -> None:
    path = Path(configured(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path.write_text(path.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        with pytest.raises(CannotStart, match=f"127.0.0.1:{port}.*in use"):
            async with running(wired(load(path)), FakeClock(), lambda _: None):
                pass
    async with verbs_without_daemon(wired(load(path))) as verbs:
        assert "queue-list" in verbs


async def test_two_relays_cannot_share_a_state_directory(tmp_path: Path) -> None:
    path = Path(configured(tmp_path))
    async with running(wired(load(path)), FakeClock(), lambda _: None):
        with pytest.raises(CannotStart):
            async with running(wired(load(path)), FakeClock(), lambda _: None):
                pass


async def test_without_a_daemon_the_verbs_that_need_one_are_not_there(tmp_path: Path) -> None:
    async with verbs_without_daemon(wired(load(Path(configured(tmp_path))))) as verbs:
        assert not {"lanes", "send-test", "transcript"} & set(verbs)
        assert {"status", "authorize", "queue-hold", "log", "alert-test"} <= set(verbs)


async def test_a_relay_without_the_key_of_the_shared_vault_does_not_start(
    tmp_path: Path, database: str
) -> None:
    """It would take lanes and send nothing. The others go on, and lose no authorization."""
    settings = []
    for host in "ab":
        (tmp_path / host).mkdir()
        path = Path(configured(tmp_path / host))
        path.write_text(path.read_text() + f'\n[spool]\nurl = "{database}"\n')
        settings.append(wired(load(path)))
    first, second = settings
    async with running(first, FakeClock(), lambda _: None):
        with pytest.raises(CannotStart, match=r"key is missing on this host.*Copy it from another"):
            async with running(second, FakeClock(), lambda _: None):
                pass
        async with verbs_without_daemon(second) as verbs:
            assert "queue-list" in verbs, "what needs no key works"
        key = second.state_directory / CREDENTIAL_NAME
        key.touch(0o600)
        key.write_bytes(new_key_text())
        with pytest.raises(CannotStart, match=r"another key.*Give this host the key"):
            async with running(second, FakeClock(), lambda _: None):
                pass
        key.write_bytes((first.state_directory / CREDENTIAL_NAME).read_bytes())
        async with running(second, FakeClock(), lambda _: None):
            pass
