"""Debian's Postfix with a configuration, a queue and a port of its own, independent of one that may
be running.

Nothing of the machine's configuration is read or changed: `master` gets a folder with everything
that it needs. It must be started by root, since Postfix runs its parts as different users.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.processes import Process, free_port, until_greeted

_MASTER = Path("/usr/lib/postfix/sbin/master")
_SERVICES = """
127.0.0.1:{port} inet n - n - 400 smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""
DISCARDING = {"default_transport": "discard:", "in_flow_delay": "0"}
"""Takes mail into its queue, then throws it away: what Postfix does for acceptance, and no more."""
HOLDING = {"smtpd_data_restrictions": "check_client_access static:HOLD"}
"""Takes mail into its queue, where it stays until `release`: what the relay does that is not
authorized."""


def forwarding(sink: int) -> dict[str, str]:
    """Accepts mail, and relays it by SMTP to that port of this machine, without TLS."""
    return {"relayhost": f"[127.0.0.1]:{sink}", "in_flow_delay": "0"}


_SETTINGS = {
    "compatibility_level": "3.6",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "daemon_directory": str(_MASTER.parent),
    "command_directory": "/usr/sbin",
    "myhostname": "postfix.contoso.com",
    "mydestination": "",
    "local_recipient_maps": "",
    "alias_maps": "",
    "inet_interfaces": "loopback-only",
    "inet_protocols": "ipv4",
    "mynetworks": "127.0.0.0/8",
    "smtpd_relay_restrictions": "permit_mynetworks, reject",
    "smtpd_peername_lookup": "no",
    "smtpd_client_connection_count_limit": "0",
    "default_process_limit": "400",
    "message_size_limit": "60000000",
    "mailbox_size_limit": "0",
    "smtputf8_enable": "yes",
}


def can_run() -> bool:
    """Whether it is installed and can be started by this user."""
    return _MASTER.exists() and os.geteuid() == 0


@contextlib.contextmanager
def postfix(folder: Path, settings: Mapping[str, str]) -> "Iterator[tuple[int, Process]]":
    """Started in `folder`; its port and `master`. The log is `folder`/log."""
    _write(folder, settings)
    port, process = _started(folder)
    try:
        yield port, process
    finally:
        _stop(process)


def _started(folder: Path, tries: int = 5) -> "tuple[int, Process]":
    """On a port that was free a moment ago; another process may have taken it since."""
    port = free_port()
    (folder / "etc/master.cf").write_text(_SERVICES.format(port=port), encoding="utf-8")
    with (folder / "said").open("wb") as out:
        command = [str(_MASTER), "-d", "-c", str(folder / "etc")]
        process = subprocess.Popen(
            command, stdout=out, stderr=out, start_new_session=True, text=True
        )
    try:
        until_greeted(port, process)
    except BaseException as error:
        _stop(process)
        if isinstance(error, RuntimeError) and tries > 1:
            return _started(folder, tries - 1)
        raise RuntimeError(f"Postfix does not start: {said(folder)}") from error
    return port, process


def _stop(process: "Process") -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    _wait_for_its_parts(process.pid)


def release(folder: Path) -> None:
    """Relay what was held, and hold nothing from now on."""
    for words in (["postsuper", "-H", "ALL"], ["postqueue", "-f"]):
        command = [words[0], "-c", str(folder / "etc"), *words[1:]]
        subprocess.run(command, check=True, capture_output=True)


def waiting(folder: Path) -> int:
    """How many messages are in its queue."""
    queues = (folder / "queue" / name for name in ("incoming", "active", "deferred", "hold"))
    return sum(len(files) for queue in queues for _, _, files in os.walk(queue))


def said(folder: Path) -> str:
    """What it logged, for finding out why something failed."""
    logs = (folder / name for name in ("data/log", "said"))
    return "".join(log.read_text(errors="replace") for log in logs if log.exists())


def _write(folder: Path, settings: Mapping[str, str]) -> None:
    etc, queue, data = (folder / name for name in ("etc", "queue", "data"))
    for made in (etc, queue, data):
        made.mkdir(parents=True)
    for parent in folder.parents:  # the parts of Postfix must be able to reach their queue
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    folder.chmod(0o755)
    shutil.chown(data, "postfix")
    own = {
        "queue_directory": str(queue),
        "data_directory": str(data),
        "maillog_file": str(data / "log"),
        "maillog_file_prefixes": str(folder),
    }
    lines = (f"{key} = {value}\n" for key, value in (_SETTINGS | own | dict(settings)).items())
    (etc / "main.cf").write_text("".join(lines), encoding="utf-8")
    make = [str(_MASTER.with_name("post-install")), "create-missing"]
    where = {"config_directory": str(etc), "meta_directory": "/etc/postfix"}
    told = subprocess.run(
        make,
        env=os.environ | _SETTINGS | own | where | {"sendmail_path": "/usr/sbin/sendmail"},
        capture_output=True,
        text=True,
        check=False,
    )
    if not (queue / "maildrop").exists():
        raise RuntimeError(f"Postfix's queue was not made: {told.stdout} {told.stderr}")


def _wait_for_its_parts(session: int, seconds: float = 10) -> None:
    """They end when master is gone; the folder can be removed only then."""
    gives_up = time.perf_counter() + seconds
    while time.perf_counter() < gives_up:
        left = subprocess.run(["pgrep", "-s", str(session)], capture_output=True, check=False)
        if left.returncode:
            return
        time.sleep(0.02)
    subprocess.run(["pkill", "-KILL", "-s", str(session)], check=False)
