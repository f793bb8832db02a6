"""Real processes through every failure: nothing secret is in the journal, on standard output or
error, in `--json`, in the process list, in a file, or in a core dump."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from graphrelay.control.verb import VerbError
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from graphrelay.sandbox.directory import CLIENT_SECRET, CONFIDENTIAL_CLIENT
from graphrelay.sandbox.entra import grants
from graphrelay.sandbox.entra.aadsts import KNOWN
from graphrelay.sandbox.entra.faults import EntraError
from graphrelay.sandbox.faults import Answer, AnswerAfter, CutAfter, CutBefore, Fault
from graphrelay.sandbox.visitor import Visitor
from tests.control.socket.asking import converse
from tests.e2e.commands import graphrelay, started
from tests.e2e.scenarios import certificate, confidential, pem_key

PASSPHRASE = "a-passphrase-of-the-key"
MORE = """
[accounts.daemon]
scenario = "any-user"
tenant = "contoso.onmicrosoft.com"
client_id = "{client_id}"
client_secret = "{secret}"
mailboxes = ["*@contoso.com"]

[accounts.certified]
scenario = "any-user"
tenant = "contoso.onmicrosoft.com"
client_id = "{client_id}"
certificate_file = "{folder}/app.pem"
certificate_password = "{passphrase}"
mailboxes = ["*@contoso.com"]

[[routes]]
account = "website"

[log]
level = "debug"
"""

FAILURES: list[Fault] = [
    *(EntraError(aadsts=number) for number in sorted(KNOWN)),
    *(Answer(status=status, body="<html>no</html>", part="entra") for status in (200, 404, 502)),
    Answer(status=429, part="entra"),
    Answer(status=200, body="[]", part="entra"),
    AnswerAfter(status=500, body="oops", part="entra"),
    CutBefore(part="entra"),
    CutAfter(part="entra"),
]


@dataclass
class Ears:
    """Everything that others could read, and everything that must stay secret."""

    heard: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def leaks(self) -> list[str]:
        """The beginnings of secrets that leaked."""
        everything = "\n".join(self.heard)
        return [secret[:12] for secret in self.secrets if secret and secret in everything]


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> Ears:
    """Record every code and every refresh token that the cloud issues."""
    ears = Ears()
    keep = grants._keep

    def learn(kept: dict[str, object], key: str, value: object) -> str:
        ears.secrets.add(key)
        return keep(kept, key, value)

    monkeypatch.setattr(grants, "_keep", learn)
    return ears


@contextmanager
def watching_the_process_list(ears: Ears) -> Iterator[None]:
    """All command lines of this machine, again and again."""
    over = threading.Event()

    def watch() -> None:
        seen: set[bytes] = set()
        while not over.wait(0.05):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.add(entry.read_bytes())
        ears.heard += [line.replace(b"\0", b" ").decode("utf-8", "replace") for line in seen]

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def may_dump_core() -> None:
    """In the child, before the program: allow core dumps, as an admin might have done."""
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def aborted(process: "subprocess.Popen[bytes]") -> bool:
    """End it with SIGABRT, as systemd's watchdog does; whether its memory was dumped."""
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -os.WTERMSIG(status)
    assert process.returncode == -signal.SIGABRT
    return os.WCOREDUMP(status)


@asynccontextmanager
async def serving(config: Path, folder: Path) -> AsyncIterator["subprocess.Popen[bytes]"]:
    """`graphrelay serve`, ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(str(folder / "notify"))
        ready.setblocking(False)
        with (folder / "journal").open("wb") as journal:
            process = subprocess.Popen(  # noqa: ASYNC220 (the event loop does not need it)
                [sys.executable, "-m", "graphrelay", "--config", config, "serve"],
                stdout=journal,
                stderr=journal,
                env=os.environ | {"NOTIFY_SOCKET": str(folder / "notify")},
                preexec_fn=may_dump_core,
            )
        try:
            async with asyncio.timeout(30):
                await asyncio.get_running_loop().sock_recv(ready, 1000)
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()


@dataclass
class Machine:
    """The cloud, the configuration, and the search for secrets."""

    cloud: Sandbox
    config: Path
    state: Path
    ears: Ears

    async def runs(self, *arguments: str) -> int:
        ended = await graphrelay(self.config, *arguments)
        self.ears.heard += [ended.out, ended.err]
        return ended.code

    async def is_asked(self, verb: str, **arguments: object) -> None:
        """What `--json` prints."""

        async def nobody(what: str) -> str:
            raise AssertionError(what)

        async for event in converse(self.state / "control.sock", verb, arguments, nobody):
            self.ears.heard.append(str(event))

    async def signs_in(self) -> None:
        """With an address that is pasted by hand into another process."""
        async with (
            started(self.config, "authorize", "website", "--paste", "--json") as process,
            Visitor(self.cloud.ca_file) as visitor,
        ):
            assert process.stdout
            line = ""
            while "open-elsewhere" not in line:
                line = (await process.stdout.readline()).decode()
            url = "https" + line.split('"https')[1].split('"')[0]
            back = await visitor.sign_in(url, "wp@contoso.com")
            assert any(secret in back for secret in self.ears.secrets), "the code is known"
            out, err = await asyncio.wait_for(process.communicate(f"{back}\n".encode()), 60)
            assert process.returncode == 0, err
            self.ears.heard += [out.decode(), err.decode()]

    def learn(self) -> None:
        self.ears.secrets |= set(self.cloud.tokens._issued)
        self.ears.secrets.add((self.state / "vault.key").read_text("ascii").strip())


@asynccontextmanager
async def machine(folder: Path, ears: Ears) -> AsyncIterator[Machine]:
    own = certificate()
    locked = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    key = serialization.load_pem_private_key(pem_key(), None)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked
    )
    (folder / "app.pem").write_bytes(private + own.public_bytes(serialization.Encoding.PEM))
    (folder / "app.pem").chmod(0o600)
    ears.secrets |= {CLIENT_SECRET, PASSPHRASE, *pem_key().decode().splitlines()[1:-1]}
    async with Sandbox() as cloud:
        confidential(cloud).certificates.append(own)
        text = relay_config(cloud, folder / "state", "127.0.0.1:0") + MORE.format(
            client_id=CONFIDENTIAL_CLIENT,
            secret=CLIENT_SECRET,
            passphrase=PASSPHRASE,
            folder=folder,
        )
        config = folder / "config.toml"
        config.write_text(text, "utf-8")
        yield Machine(cloud, config, folder / "state", ears)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_failure_shows_a_secret_to_anybody(
    tmp_path: Path, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    async with machine(tmp_path, ears) as here:
        with watching_the_process_list(ears):
            async with serving(here.config, tmp_path) as process:
                await here.signs_in()
                assert await here.runs("authorize", "daemon") == 0
                await here.is_asked("authorize", account="certified")
                assert await here.runs("status", "--json") == 0
                for failure in FAILURES:
                    here.cloud.faults.on(failure)
                    await here.is_asked("status")
                    await here.is_asked("authorize", account="certified")
                    here.cloud.faults.off(failure)
                here.cloud.faults.on(EntraError(aadsts=50173))
                assert await here.runs("status") == 1
                here.cloud.faults.clear()
                await here.is_asked("status")
                here.learn()
                damaged = next((here.state / "vault").glob("*website*"))
                damaged.write_bytes(b"GRV1 and no more")
                await here.is_asked("status")
                for verb in ("vault-list", "vault-rotate", "lanes", "queue-list", "log"):
                    with contextlib.suppress(VerbError):
                        await here.is_asked(verb)
                here.learn()
                assert not aborted(process), "its memory was written to a core dump"
            assert await here.runs("status", "--json") == 1
        here.learn()
    ears.heard.append((tmp_path / "journal").read_text("utf-8"))
    assert len(ears.secrets) > 40
    said = "\n".join(ears.heard)
    assert "authorization-refused" in said
    assert f"--config {here.config} serve" in said, "the process list was seen"
    assert "AADSTS50173" in said
    assert ears.leaks() == []
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name not in ("config.toml", "app.pem", "vault.key"):
            octets = path.read_bytes()
            assert [one[:12] for one in ears.secrets if one.encode() in octets] == [], path


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_program_that_does_not_forbid_it_would_have_been_dumped(tmp_path: Path) -> None:
    """Otherwise the test above would prove nothing."""
    process = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        preexec_fn=may_dump_core,
    )
    assert process.stdin
    assert process.stdout
    process.stdout.readline()
    dumped = aborted(process)
    process.stdin.close()
    process.stdout.close()
    if not dumped:
        pytest.skip("the kernel writes no core dumps here")
