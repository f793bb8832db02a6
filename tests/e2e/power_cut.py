"""A simulated power cut: what was answered with 250 is on the disk, not only in memory.

    sudo python -m tests.e2e.power_cut --cuts 5 --messages 10000

The spool lies on a journalled ext4 in an image file. Under load the relay is frozen, and the image
is copied as it is: with everything that was written to the device, and without what is still in the
kernel's cache. The copy is mounted in its place (ext4 replays its journal), and the relay is
started on it. At the end the queue is emptied, and the sandbox reports what has arrived.

    flood ── SMTP ──▶ graphrelay serve, state on ext4 on a loop device ── HTTPS ──▶ sandbox
                                        image ──(cp)──▶ copy, mounted in its place

No acknowledged message may be missing. `--lie` makes fsync do nothing, like a disk that lies: then
mail is lost, which shows that the test detects it. Needs root, a loop device and mkfs.ext4.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.e2e.flood import Flood
from tests.e2e.kill_nine import (
    CONNECTIONS,
    IMPATIENT,
    SENDER,
    Daemon,
    Verdict,
    emptied,
    free_port,
    judge,
)

LIE = "int fsync(int f) { (void)f; return 0; }\nint fdatasync(int f) { (void)f; return 0; }\n"


class Disk:
    """A loop-mounted image; `cut` puts a copy of it in its place."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.mount = folder / "mnt"
        self._folder = folder
        self._number = 0
        self.mount.mkdir()
        with self._image.open("wb") as image:
            image.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self._attach()

    @property
    def _image(self) -> Path:
        return self._folder / f"image{self._number}"

    def _attach(self) -> None:
        self._device = _run("losetup", "--find", "--show", str(self._image))
        try:
            _run("mount", "-t", "ext4", self._device, str(self.mount))
        except BaseException:
            _run("losetup", "--detach", self._device)
            raise

    def copy(self) -> None:
        """Of one moment: taken again if something was written to the device meanwhile."""
        copy = self._folder / f"image{self._number + 1}"
        while True:
            before = self._writes()
            _run("cp", "--sparse=always", str(self._image), str(copy))
            if self._writes() == before:
                return

    def _writes(self) -> str:
        """Sectors written so far."""
        return Path(f"/sys/block/{Path(self._device).name}/stat").read_text("ascii").split()[6]

    def switch(self) -> None:
        """Switch to the copy; the disk must not be in use meanwhile."""
        self.detach()
        self._image.unlink()
        self._number += 1
        self._attach()

    def detach(self) -> None:
        _run("umount", str(self.mount))
        _run("losetup", "--detach", self._device)


def _run(*words: str) -> str:
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@contextlib.contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    made = Disk(folder, megabytes)
    try:
        yield made
    finally:
        made.detach()


@contextlib.asynccontextmanager
async def relaying(
    folder: Path, state: Path, environment: dict[str, str]
) -> AsyncIterator[tuple[Sandbox, Daemon, Flood]]:
    async with Sandbox(mail_settings=MailSettings(keep_bodies=False)) as cloud:
        port = free_port()
        config = relay_config(cloud, state, f"127.0.0.1:{port}", "any-user")
        daemon = Daemon(folder, config + IMPATIENT, environment)
        recipient, mark = "anna@example.org", f"cut{os.getpid()}"
        flood = Flood("127.0.0.1", port, sender=SENDER, recipient=recipient, mark=mark)
        try:
            yield cloud, daemon, flood
        finally:
            await daemon.abandon()


async def one_cut(daemon: Daemon, flood: Flood, under: Disk, messages: int, dice: Random) -> None:
    """Send, and cut the power once in the middle of it."""
    strike = len(flood.told.acknowledged) + dice.randrange(messages // 2, messages)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(flood.send(messages, CONNECTIONS))
        await flood.acknowledged(strike)
        await asyncio.sleep(dice.random() / 10)
        daemon.freeze()
        await asyncio.to_thread(under.copy)
        await daemon.kill()
        await asyncio.to_thread(under.switch)
        await daemon.start()


async def run(cuts: int, messages: int, seed: int, folder: Path, *, lie: bool = False) -> Verdict:
    dice, environment = Random(seed), {}
    if lie:
        environment["LD_PRELOAD"] = str(_liar(folder))
    with disk(folder, megabytes=512 + cuts * messages // 80) as under:
        state = under.mount / "state"
        async with relaying(folder, state, environment) as (cloud, daemon, flood):
            await daemon.authorize()
            await asyncio.to_thread(os.sync)  # the authorization was not acknowledged by SMTP
            await daemon.start()
            for number in range(1, cuts + 1):
                began = time.monotonic()
                async with asyncio.timeout(900):
                    await one_cut(daemon, flood, under, messages, dice)
                print(
                    f"cut {number}: {len(flood.told.acknowledged)} acknowledged, "
                    f"{len(cloud.mailboxes.submissions)} submitted, "
                    f"{time.monotonic() - began:.1f} s",
                    flush=True,
                )
            async with asyncio.timeout(3600):
                await emptied(daemon, flood, cloud.mailboxes.submissions)
            await daemon.stop()
            return judge(flood, cloud.mailboxes.submissions, daemon.kills)


def _liar(folder: Path) -> Path:
    source, library = folder / "liar.c", folder / "liar.so"
    source.write_text(LIE, "ascii")
    _run("cc", "-shared", "-fPIC", "-o", str(library), str(source))
    return library


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--messages", type=int, default=10_000, help="for each cut")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lie", action="store_true", help="fsync does nothing: mail must be lost")
    chosen = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        print("needs root, and mkfs.ext4 (Debian: e2fsprogs)", file=sys.stderr)
        return 2
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        running = run(chosen.cuts, chosen.messages, chosen.seed, Path(folder), lie=chosen.lie)
        verdict = asyncio.run(running)
    print(verdict)
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
