"""What an admin does with the service, tried on a machine of its own (machine.py), as root.

python -m tests.systemd.trial FINDINGS      writes its findings there, as JSON
"""

import asyncio
import contextlib
import json
import smtplib
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from graphrelay.sandbox.directory import CLIENT_SECRET
from tests.systemd.machine import PROGRAM, PYTHON

STATE = Path("/var/lib/graphrelay")
CONFIG = Path("/etc/graphrelay/config.toml")
DROP_IN = f"""
[Service]
Environment=LD_LIBRARY_PATH={PYTHON}/lib PYTHONDONTWRITEBYTECODE=1
LoadCredential=vault.key:/etc/graphrelay/vault.key
LoadCredential=accounts.website.client_secret:/etc/graphrelay/secret
WatchdogSec=4
RestartSec=0
"""

FOR_SENDMAIL = """
[[smtp.listeners]]
address = "unix:/run/graphrelay/smtp.sock"
[drop]
directory = "/var/spool/graphrelay"
"""


@dataclass(slots=True)
class Findings:
    """What is asserted by the tests."""

    started: str = ""
    """What `systemctl start` said; nothing if READY=1 came."""
    core_limit: str = ""
    """Of the process: soft and hard."""
    memory_belongs_to: str = ""
    """Whom /proc says it belongs to: root, where a process may not be dumped."""
    user: str = ""
    """Whom the process runs as."""
    status_text: str = ""
    authorized: str = ""
    """What `graphrelay authorize` said, called by root."""
    account_status: str = ""
    """The exit status and output of `graphrelay status`, asked as root."""
    arrived: int = 0
    """Messages at the sandbox after one was sent to port 25."""
    reloaded: str = ""
    """The line in the journal that says so."""
    active_after_reload: str = ""
    refused: str = ""
    """What `systemctl reload` said of a configuration with a mistake."""
    refused_because: str = ""
    """What the journal has of it."""
    active_after_refusal: str = ""
    arrived_after_kill: int = 0
    restarts_after_kill: str = ""
    restarts_after_hang: str = ""
    arrived_after_hang: int = 0
    not_the_users: str = ""
    """Files below the state directory that do not belong to the service's user."""
    modes: str = ""
    """Of the state directory and of all that is in it."""
    handed_in: str = ""
    """What graphrelay-sendmail said, called by another user, with the relay there …"""
    left: str = ""
    """… and with the relay away."""
    checked: str = ""
    """What `check-config` says of a secret that only the service is handed."""
    status_without_secret: str = ""
    """What `status` says, called by root with the service stopped …"""
    authorized_without_key: str = ""
    """… and what `authorize`, by somebody who has the secret and not the vault's key."""
    dropped: str = ""
    """Mode, user and group of what it left."""
    arrived_from_sendmail: int = 0
    taken: str = ""
    """The line in the journal of the one that was left."""
    stopped: str = ""
    """What became of a stop."""
    failed_with: str = ""
    """State, exit status and restarts with a configuration that cannot be used."""
    problem: str = ""
    """Why the trial did not get to its end."""
    journal: str = ""


async def said(*command: str, stdin: bytes = b"") -> str:
    """Exit status, when it is not 0, and everything that the command printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(stdin)
    failed = f"[{process.returncode}] " if process.returncode else ""
    return failed + output.decode("utf-8", "replace").strip()


async def shown(*properties: str) -> str:
    """Their values, in the order of the question."""
    values = [
        await said("systemctl", "show", "graphrelay", f"--property={name}", "--value")
        for name in properties
    ]
    return " ".join(values)


def send(subject: str) -> None:
    sender, recipient = "wp@contoso.com", "anna@example.org"
    with smtplib.SMTP("127.0.0.1", 25, timeout=30) as smtp:
        text = f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nHello\r\n"
        smtp.sendmail(sender, [recipient], text)


async def arrived_after(cloud: Sandbox, subject: str, count: int) -> int:
    """Send one more message to port 25; returns how many have arrived then."""
    await asyncio.to_thread(send, subject)
    return len(await cloud.mailboxes.arrived(count, timeout=30))


async def until(wanted: str, *properties: str) -> str:
    """Wait until systemd shows this; what it shows, if it never does."""
    return await asked_until(lambda said: said == wanted, lambda: shown(*properties))


async def asked_until(good: Callable[[str], bool], ask: Callable[[], Awaitable[str]]) -> str:
    """Ask until the answer is good; the last answer, if it never is."""
    answer = await ask()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30):
            while not good(answer):
                await asyncio.sleep(0.05)  # systemd, another process, signals no event
                answer = await ask()
    return answer


def installed(cloud: Sandbox) -> None:
    """The files that docs/operations.md has the admin write."""
    Path("/etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", "utf-8")
    CONFIG.parent.mkdir()
    ca_file = CONFIG.parent / "cloud.pem"
    ca_file.write_bytes(cloud.ca_file.read_bytes())
    CONFIG.write_text(
        (relay_config(cloud, STATE, "systemd:smtp", "any-user") + FOR_SENDMAIL)
        .replace(str(cloud.ca_file), str(ca_file))
        .replace(f'client_secret = "{CLIENT_SECRET}"', ""),
        "utf-8",
    )
    for name, secret in (("vault.key", "kV" * 16), ("secret", CLIENT_SECRET)):
        path = CONFIG.parent / name
        path.touch(0o600)
        path.write_text(secret, "utf-8")
    folder = Path("/etc/systemd/system/graphrelay.service.d")
    folder.mkdir()
    (folder / "trial.conf").write_text(DROP_IN, "utf-8")


async def first_message(cloud: Sandbox, found: Findings) -> None:
    await said("systemctl", "daemon-reload")
    found.started = await said("systemctl", "enable", "--now", "graphrelay.socket")
    found.started = await said("systemctl", "start", "graphrelay")
    found.user = await said("ps", "-o", "user=", "-p", await shown("MainPID"))
    found.memory_belongs_to = await said("stat", "-c", "%U", f"/proc/{await shown('MainPID')}/mem")
    limits = Path("/proc", await shown("MainPID"), "limits").read_text("utf-8")
    (core,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
    found.core_limit = " ".join(core.split()[4:6])
    found.status_text = await shown("StatusText")
    program = f"{PROGRAM}/bin/graphrelay"
    found.authorized = await said(program, "authorize", "website")
    found.account_status = await said(program, "status")
    found.arrived = await arrived_after(cloud, "one", 1)
    await said("systemctl", "reload", "graphrelay")
    find = ("journalctl", "--unit=graphrelay", "--output=cat", "--grep=Z reloaded ")
    found.reloaded = await asked_until(lambda line: "config=" in line, lambda: said(*find))
    found.active_after_reload = await until("active", "ActiveState")
    good = CONFIG.read_text("utf-8")
    CONFIG.write_text(f"colour = 'red'\n{good}", "utf-8")
    found.refused = await said("systemctl", "reload", "graphrelay")
    found.refused_because = await said("journalctl", "--unit=graphrelay", "--output=cat")
    found.active_after_refusal = await until("active", "ActiveState")
    CONFIG.write_text(good, "utf-8")


async def mishaps(cloud: Sandbox, found: Findings) -> None:
    await said("kill", "-KILL", await shown("MainPID"))
    found.restarts_after_kill = await until("1 active", "NRestarts", "ActiveState")
    found.arrived_after_kill = await arrived_after(cloud, "two", 2)
    await said("kill", "-STOP", await shown("MainPID"))
    found.restarts_after_hang = await until("2 active", "NRestarts", "ActiveState")
    found.arrived_after_hang = await arrived_after(cloud, "three", 3)


async def sendmail(subject: str) -> str:
    """As any program of any user calls it; returns its output."""
    program = f"{PROGRAM}/bin/graphrelay-sendmail"
    text = f"From: wp@contoso.com\nTo: anna@example.org\nSubject: {subject}\n\nHello\n"
    nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    return await said(*nobody, program, "-v", "-t", "-i", stdin=text.encode())


async def local_mail(cloud: Sandbox, found: Findings) -> None:
    found.handed_in = await sendmail("four")
    await said("systemctl", "stop", "graphrelay.socket", "graphrelay.service")
    found.left = await sendmail("five")
    program = f"{PROGRAM}/bin/graphrelay"
    found.checked = await said(program, "check-config")
    found.status_without_secret = await said(program, "status")
    secret = f"GRAPHRELAY_ACCOUNTS__WEBSITE__CLIENT_SECRET={CLIENT_SECRET}"
    found.authorized_without_key = await said("env", secret, program, "authorize", "website")
    drop = "/var/spool/graphrelay/drop"
    found.dropped = await said("find", drop, "-type", "f", "-printf", "%m %u %g")
    await said("systemctl", "start", "graphrelay.socket", "graphrelay.service")
    found.arrived_from_sendmail = len(await cloud.mailboxes.arrived(5, timeout=30))
    find = ("journalctl", "--unit=graphrelay", "--output=cat", "--grep=Z drop-taken ")
    found.taken = await asked_until(lambda line: "user=" in line, lambda: said(*find))


async def end(found: Findings) -> None:
    found.not_the_users = await said("find", str(STATE), "!", "-user", "graphrelay")
    found.modes = await said("find", str(STATE), "-printf", "%m %P\n")
    await said("systemctl", "stop", "graphrelay.socket", "graphrelay.service")
    found.stopped = await shown("ActiveState", "Result")
    CONFIG.write_text("nonsense = 1\n", "utf-8")
    await said("systemctl", "reset-failed", "graphrelay")
    await said("systemctl", "start", "graphrelay")
    found.failed_with = await shown("ActiveState", "ExecMainStatus", "NRestarts")


async def trial(findings: Path) -> None:
    found = Findings()
    try:
        async with Sandbox() as cloud:
            installed(cloud)
            await first_message(cloud, found)
            await mishaps(cloud, found)
            await local_mail(cloud, found)
            await end(found)
    except Exception:
        found.problem = traceback.format_exc()
        raise
    finally:
        found.journal = await said("journalctl", "--no-pager", "--unit=graphrelay")
        findings.write_text(json.dumps(asdict(found)), "utf-8")


if __name__ == "__main__":
    asyncio.run(trial(Path(sys.argv[1])))
