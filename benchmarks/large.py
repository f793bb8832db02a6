"""A message of 30 MB with five attachments, all the way: the memory that it takes, and the time.

It is received by SMTP, stored on the disk, uploaded into a draft in pieces, and sent. The figure is
the peak memory of the relay minus its memory before the message, including its first TLS session
and its first token.

`python -m benchmarks.large FOLDER` is the cloud: a sandbox whose application may make drafts.
"""

import asyncio
import base64
import contextlib
import os
import shutil
import smtplib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import head, row
from benchmarks.processes import forget_peak, free_port, peak, resident, running, until_greeted
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT
from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.spool import postgres_server

ATTACHMENTS = 5
SIZE = 30_000_000
LARGEST = 145_000_000
LIMIT = 64
"""MB that such a message may add."""


def letter(size: int = SIZE) -> bytes:
    """As many octets, most of them in five attachments in base64."""
    each = size // ATTACHMENTS // 78 * 57
    head = (
        b"From: wp@contoso.com\r\nTo: anna@example.org\r\nSubject: large\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nHello\r\n'
    )
    parts = [
        f'--b\r\nContent-Type: application/zip; name="{number}.zip"\r\n'
        "Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
        + base64.encodebytes(os.urandom(each)).replace(b"\n", b"\r\n")
        for number in range(ATTACHMENTS)
    ]
    return head + b"".join(parts) + b"--b--\r\n"


def measure(
    folder: Path, runs: int, size: int = SIZE, settings: str = ""
) -> Iterator[tuple[float, float, float]]:
    """Idle MB, added MB, and seconds from the 250 to the 202, of each run. `settings` is TOML."""
    message = letter(size)
    for run in range(runs):
        here = folder / f"large-{run}"
        here.mkdir(parents=True)
        with _cloud(here) as cloud, _relay(here, settings) as (port, process):
            idle = resident(process)
            forget_peak(process)
            with smtplib.SMTP("127.0.0.1", port, timeout=120) as client:
                client.sendmail("wp@contoso.com", ["anna@example.org"], message)
            began = time.perf_counter()
            assert cloud.stdout is not None
            if cloud.stdout.readline().strip() != f"draft {ATTACHMENTS}":
                raise RuntimeError(f"it did not arrive: see {here}")
            yield idle, peak(process) - idle, time.perf_counter() - began


def large(folder: Path, runs: int) -> None:
    """For `python -m benchmarks`."""
    head("message MB", "in", "idle MB", f"added MB (at most {LIMIT})", "s from 250 to 202")
    for size in (SIZE, LARGEST):
        found = {"SQLite": list(measure(folder / f"{size}", min(runs, 3), size))}
        if shutil.which("pg_lsclusters"):  # of Debian's postgresql
            with postgres_server.running(()) as server:
                settings = f'\n[spool]\nurl = "{server.url()}"\n'
                found["PostgreSQL"] = list(
                    measure(folder / f"{size}-shared", min(runs, 1), size, settings)
                )
        for engine, rows in found.items():
            columns = (statistics.median(column) for column in zip(*rows, strict=True))
            row(f"{size / 1e6:.0f}", engine, *(f"{column:.1f}" for column in columns))


@contextlib.contextmanager
def _cloud(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    with running("benchmarks.large", str(folder)) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the cloud did not start")
        yield process


@contextlib.contextmanager
def _relay(folder: Path, settings: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    port = free_port()
    config = folder / "config.toml"
    written = config.read_text("utf-8").replace("127.0.0.1:2525", f"127.0.0.1:{port}")
    config.write_text(written + settings)
    command = ["graphrelay", "--config", str(config)]
    subprocess.run(
        [sys.executable, "-m", *command, "authorize", "website"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with running(*command, "serve", log=folder / "log") as process:
        until_greeted(port, process)
        yield port, process


async def serve(folder: Path) -> None:
    """Prints `ready`, and then how the first message was submitted and how many attachments it
    has."""
    async with Sandbox(mail_settings=MailSettings(message_limit=160_000_000)) as cloud:
        app = cloud.directory.app(CONFIDENTIAL_CLIENT)
        assert app is not None
        app.roles = {"Mail.Send", "Mail.ReadWrite"}
        settings = "large_messages = true\n"
        config = relay_config(
            cloud, folder / "state", scenario="any-user", account_settings=settings
        )
        config += '\n[smtp]\nmax_message_size = "150 MB"\n'
        (folder / "config.toml").write_text(config, encoding="utf-8")
        print("ready", flush=True)
        (mail,) = await cloud.mailboxes.arrived(1, timeout=600)
        print(mail.via, len(mail.content.attachments), flush=True)
        await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
