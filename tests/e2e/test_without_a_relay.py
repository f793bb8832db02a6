"""With no relay running, the command line acts as the service's user, or says why not."""

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from graphrelay.clock import SystemClock
from graphrelay.control.socket.server import ControlServer
from graphrelay.control.verb import Asker, Output
from graphrelay.journal import Journal
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from tests.clients.programs import run
from tests.e2e.commands import graphrelay
from tests.tools import ROOT, needs_root_and_readers

NOBODY = 65534
BECOMES_NOBODY = """
import os, sys
sys.path.insert(0, {root!r})
# The Python that runs the tests may lie where nobody else can read.
import encodings.idna, grp, importlib, importlib.readers, pwd
import graphrelay.cli.authorize, graphrelay.memory, graphrelay.daemon.relay
import graphrelay.control.socket.client
import graphrelay.daemon.archive, graphrelay.daemon.keeper_process, graphrelay.guide.writing
for name in graphrelay.cli.VERBS:
    importlib.import_module("graphrelay.cli." + name.replace("-", "_"))
from graphrelay.daemon import reading, reading_process

class ReadHere:  # since nobody can start it
    def __init__(self, path, *, may_be_missing=False):
        self.path = path

    async def found(self):
        return reading_process.read(self.path)

reading.ConfigReading = ReadHere
os.setgroups([])
os.setgid({nobody})
os.setuid({nobody})
try:
    graphrelay.cli.main()
except SystemExit as end:
    print("ended with", end.code)
"""


@pytest.fixture(autouse=True)
def _root() -> None:
    needs_root_and_readers()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, with the service's state in it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "state").mkdir(mode=0o700)
        os.chown(folder / "state", NOBODY, NOBODY)
        yield folder


@pytest.fixture
async def config(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    async with Sandbox() as cloud:
        ca_file = Path(shutil.copy(cloud.ca_file, folder))
        ca_file.chmod(0o644)
        text = relay_config(cloud, folder / "state", "127.0.0.1:0", "any-user")
        config = folder / "config.toml"
        config.write_text(text.replace(str(cloud.ca_file), str(ca_file)), "utf-8")
        yield config


async def test_root_authorizes_for_the_service_and_owns_nothing_of_it(
    config: Path, folder: Path
) -> None:
    shown = await graphrelay(config, "authorize", "website")
    assert shown.code == 0, shown
    assert "Authorized" in shown.out
    assert (await graphrelay(config, "status", "--json")).events[0]["well"]
    found = list((folder / "state").rglob("*"))
    assert any(path.suffix == ".secret" for path in found)
    assert {path.stat().st_uid for path in found} == {NOBODY}


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        (0o700, "permission denied; run it with sudo"),
        (
            0o755,
            "belongs to daemon. Run authorize with sudo, or start the relay first: ",
        ),
    ],
)
async def test_another_user_gets_an_error_that_says_what_to_run(
    config: Path, folder: Path, mode: int, wanted: str
) -> None:
    os.chown(folder / "state", 1, 1)
    (folder / "state").chmod(mode)
    said = await as_nobody(folder, "--config", config, "authorize", "website")
    assert "ended with 1" in said
    assert wanted in said


async def as_nobody(folder: Path, *arguments: object) -> str:
    code = BECOMES_NOBODY.format(root=str(ROOT), nobody=NOBODY)
    return await run(sys.executable, "-c", code, *map(str, arguments), cwd=folder)


@pytest.mark.parametrize(
    "command",
    [
        "queue list",
        "queue delete --all --reason spam",
        "revoke website",
        "reload",
        "backup there.tar",
        "restore there.tar",
    ],
)
async def test_who_may_not_read_the_configuration_is_advised_a_group(
    config: Path, folder: Path, command: str
) -> None:
    config.chmod(0o640)
    os.chown(config, 0, 1)
    said = await as_nobody(folder, "--config", config, *command.split())
    assert "ended with 78" in said
    assert f"{config}: permission denied; run it with sudo, or join the group daemon" in said


async def test_where_init_cannot_write_nothing_is_asked(config: Path, folder: Path) -> None:
    folder.chmod(0o755)
    said = await as_nobody(folder, "--config", folder / "new" / "config.toml", "init")
    assert "ended with 1" in said
    assert "cannot be written: Permission denied; run this with sudo, or choose another" in said
    assert "?" not in said
    folder.chmod(0o700)
    said = await as_nobody(Path("/"), "--config", config, "init")
    assert "cannot be written: Permission denied" in said


@pytest.mark.parametrize("verb", ["hash-password", "init"])
async def test_verbs_start_without_access_to_the_configuration(
    config: Path, folder: Path, verb: str
) -> None:
    config.chmod(0o640)
    said = await as_nobody(folder, "--config", config, verb, "--help")
    assert "Usage: graphrelay" in said


async def test_the_socket_in_the_environment_does_without_the_configuration(
    config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.chmod(0o640)
    path = folder / "control.sock"

    async def verb(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        yield {"queue_id": "4QX7K2M9", "changed": 1}

    async with ControlServer(path, {"queue-release": verb}, Journal(SystemClock()), SystemClock()):
        os.chown(path, NOBODY, NOBODY)
        monkeypatch.setattr("graphrelay.control.socket.server._peer_uid", lambda _: 0)
        monkeypatch.setenv("GRAPHRELAY_CONTROL__SOCKET", str(path))
        said = await as_nobody(folder, "--config", config, "queue", "release", "4QX7K2M9")
    assert "4QX7K2M9: released" in said


async def test_serve_as_another_user_names_the_owner_and_chown(config: Path, folder: Path) -> None:
    os.chown(folder / "state", 1, 1)
    said = await as_nobody(folder, "--config", config, "serve")
    assert f"{folder / 'state'} belongs to daemon, but the relay runs as nobody" in said
    assert f"sudo chown -R nobody {folder / 'state'}" in said
