"""kill -9 while mail comes in: what was answered with 250 arrives, and doubles are counted.

    python -m tests.e2e.kill_nine --rounds 200 --messages 2000 --faults

Each round, 20 connections send messages until 2,000 have been acknowledged; at a random moment the
daemon is killed and restarted on the same state, and now and then killed during the restart too. At
the end the queue is emptied, and the sandbox reports how often each Message-ID was submitted.

    flood ── SMTP ──▶ graphrelay serve (a process, killed and started again) ── HTTPS ──▶ sandbox

With `--faults` the cloud fails too: in each round a few random requests are throttled, refused, cut
off before or after they were processed, or answered late, and now and then no token is available.

Lost must be 0. A message that was being submitted to Microsoft when the process died may be sent
twice, since the answer was lost with the process; so may one whose answer had been received but was
not on the disk yet: together at most `IN_DOUBT` for each kill. So may one whose answer the cloud
withheld, as the account here has no permission to check whether it was sent.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from graphrelay.sandbox.faults import Answer, AnswerAfter, CutAfter, CutBefore, Delay, Fault
from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.e2e.flood import Flood

IN_DOUBT = 5
"""Attempts of one mailbox that have begun and not ended on the disk: four requests, and one that is
being written down."""
CONNECTIONS = 20
SENDER = "wp@contoso.com"
KILLED_AT_START = 0.25
"""How often the daemon is killed once more while it takes up what the first kill left."""
IMPATIENT = """
[delivery]
retry_min = "1s"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Compares what the sandbox received with the replies that the senders got."""

    kills: int
    in_doubt: int
    """Attempts that had begun and not ended on the disk at the kills, at most."""
    withheld: int
    """Requests that the cloud processed and gave no clear answer to, at most."""
    acknowledged: int
    lost: int
    """Acknowledged, and never submitted."""
    doubled: int
    """Submitted more than once."""
    extra: int
    """Submissions beyond the first, in all."""
    unacknowledged: int
    """Submitted although the connection was gone before its 250 could be read: no fault."""
    strangers: int
    """Submitted, and never sent by anybody here."""
    refused: int
    """Replies other than 250; each of these messages was sent again as another one."""

    @property
    def holds(self) -> bool:
        return not self.lost and not self.strangers and self.extra <= self.excused

    @property
    def excused(self) -> int:
        """Duplicates that the documentation allows."""
        return self.in_doubt + self.withheld

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} acknowledged, {self.lost} lost, {self.doubled} doubled "
            f"({self.extra} extra; at most {self.in_doubt} were in doubt at "
            f"{self.kills} kills, and {self.withheld} answers were withheld), "
            f"{self.unacknowledged} arrived without having been acknowledged, "
            f"{self.refused} refused, {self.strangers} strangers"
        )


def judge(
    flood: Flood,
    submissions: Mapping[str, int],
    kills: int,
    withheld: int = 0,
    in_doubt: int | None = None,
) -> Verdict:
    told = flood.told
    known = told.acknowledged | told.unanswered
    return Verdict(
        kills=kills,
        in_doubt=IN_DOUBT * kills if in_doubt is None else in_doubt,
        withheld=withheld,
        acknowledged=len(told.acknowledged),
        lost=len(told.acknowledged - submissions.keys()),
        doubled=sum(times > 1 for times in submissions.values()),
        extra=sum(times - 1 for times in submissions.values()),
        unacknowledged=len(told.unanswered & submissions.keys()),
        strangers=len(submissions.keys() - known),
        refused=len(told.refused),
    )


def bad_day(dice: Random) -> list[Fault]:
    """What goes wrong in the cloud during one round."""
    times, sends = dice.randint(1, 4), "/v1.0/users/"
    throttled = (("Retry-After", dice.choice(["1", "0.5", "2"])),)
    possible: list[Fault] = [
        Answer(status=429, headers=throttled, path=sends, times=times),
        Answer(status=503, path=sends, times=times),
        Answer(status=401, path=sends, times=1),
        CutBefore(path=sends, times=times),
        CutAfter(path=sends, times=times),
        AnswerAfter(status=504, path=sends, times=times),
        AnswerAfter(status=500, body="{}", path=sends, times=times),
        Delay(seconds=0.5, path=sends, times=times),
        Answer(status=503, part="entra", times=times),
        CutBefore(part="entra", times=times),
    ]
    return dice.sample(possible, dice.randint(0, 3))


def withheld(faults: list[Fault]) -> int:
    """How many requests these faults process without a clear answer."""
    doubtful = (fault for fault in faults if isinstance(fault, CutAfter | AnswerAfter))
    return sum(fault.times or 0 for fault in doubtful)


class Daemon:
    """`graphrelay serve` as a process; its journal goes to a file."""

    def __init__(
        self, folder: Path, config: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.environment = {**os.environ, **(environment or {})}
        self._config = folder / "config.toml"
        self._config.write_text(config, "utf-8")
        self._journal = folder / "journal"
        self._process: asyncio.subprocess.Process | None = None
        self.kills = 0

    @property
    def journal(self) -> str:
        return self._journal.read_text("utf-8")

    async def authorize(self) -> None:
        said = await self._asked("authorize", "website")
        assert "Authorized" in said, said

    async def withdraw(self) -> None:
        """Nothing goes out until `authorize`."""
        await self._asked("revoke", "website", "--yes")

    async def start(self, program: str = "graphrelay") -> None:
        """`program` is a module that runs as graphrelay does."""
        with self._journal.open("ab") as journal:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", program, "--config", str(self._config), "serve"),
                stdout=journal,
                stderr=journal,
                env=self.environment,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        assert self._process is not None
        return self._process.returncode is not None

    async def ends(self) -> int:
        """Its exit status, when it has ended by itself."""
        assert self._process is not None
        async with asyncio.timeout(60):
            return await self._process.wait()

    async def says(self, word: str, times: int = 1) -> None:
        """Return when the journal contains it this many times."""
        async with asyncio.timeout(30):
            while self.journal.count(word) < times:  # noqa: ASYNC110 (another process writes it)
                await asyncio.sleep(0.02)

    def freeze(self) -> None:
        """Freeze it (SIGSTOP); only `kill` or `thaw` may follow."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """kill -9. It must still be running."""
        await self._end(signal.SIGKILL)
        self.kills += 1

    async def abort(self) -> None:
        """What systemd does to a daemon that does not answer its watchdog."""
        assert await self._end(signal.SIGABRT) == -signal.SIGABRT
        self.kills += 1

    async def stop(self) -> None:
        assert await self._end(signal.SIGTERM) == 0, self.journal[-2000:]

    async def _end(self, with_signal: signal.Signals) -> int:
        assert self._process is not None
        assert self._process.returncode is None, f"it ended by itself:\n{self.journal[-2000:]}"
        self._process.send_signal(with_signal)
        return await self._process.wait()

    async def abandon(self) -> None:
        """Leave no process behind, whatever happened."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def waiting(self) -> int:
        """How many messages are in the queue."""
        return len(await self.queue())

    async def queue(self) -> list[dict[str, Any]]:
        """The messages in it, the oldest first."""
        return [
            json.loads(row) for row in (await self._asked("queue", "list", "--json")).splitlines()
        ]

    async def _asked(self, *words: str) -> str:
        asked = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "graphrelay", "--config", str(self._config), *words),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await asked.communicate()
        assert asked.returncode == 0, f"{' '.join(words)} ended with {asked.returncode}"
        return output.decode()


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@contextlib.asynccontextmanager
async def relaying(
    folder: Path, extra: str = "", account: str = ""
) -> AsyncIterator[tuple[Sandbox, Daemon, Flood]]:
    """A cloud, a daemon that submits to it (not started yet), and the senders. `extra` is added to
    the configuration, and `account` to the settings of its account."""
    async with Sandbox(mail_settings=MailSettings(keep_bodies=False)) as cloud:
        port = free_port()
        address = f"127.0.0.1:{port}"
        config = relay_config(cloud, folder / "state", address, "any-user", account)
        daemon = Daemon(folder, config + IMPATIENT + extra)
        recipient, mark = "anna@example.org", f"kill{os.getpid()}"
        flood = Flood("127.0.0.1", port, sender=SENDER, recipient=recipient, mark=mark)
        try:
            yield cloud, daemon, flood
        finally:
            await daemon.abandon()


async def one_round(
    daemon: Daemon, flood: Flood, messages: int, dice: Random, requests: Callable[[], int]
) -> None:
    """Send, and kill once in the middle of it, when the cloud has been asked to send something too.
    `requests`: how often it has."""
    before, known = len(flood.told.acknowledged), requests()
    strike = before + dice.randrange(1, messages)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(flood.send(messages, CONNECTIONS))
        await flood.acknowledged(strike)
        while requests() == known:  # noqa: ASYNC110 (the sandbox has no event for it)
            await asyncio.sleep(0.01)
        await asyncio.sleep(dice.random() / 50)
        await daemon.kill()
        await daemon.start()
        if dice.random() < KILLED_AT_START:
            await asyncio.sleep(dice.random())
            await daemon.kill()
            await daemon.start()
    await flood.greeted()


async def emptied(daemon: Daemon, flood: Flood, submissions: Mapping[str, int]) -> None:
    """Return when the queue is empty. Listing it costs the daemon time, so it is not asked often
    while much is still to come."""
    while await daemon.waiting():
        left = len(flood.told.acknowledged - submissions.keys())
        await asyncio.sleep(min(max(0.2, left / 500), 10))


async def run(
    rounds: int, messages: int, seed: int, folder: Path, *, faults: bool = False
) -> Verdict:
    dice, unanswered = Random(seed), 0
    async with relaying(folder) as (cloud, daemon, flood):

        def requests() -> int:
            return sum(one.path.endswith("/sendMail") for one in cloud.requests)

        await daemon.authorize()
        await daemon.start()
        for number in range(1, rounds + 1):
            began = time.monotonic()
            if faults:
                day = bad_day(dice)
                cloud.faults.clear()  # a bad day ends with the next
                cloud.faults.on(*day)
                unanswered += withheld(day)
            async with asyncio.timeout(120):
                await one_round(daemon, flood, messages, dice, requests)
            print(
                f"round {number:2}: {len(flood.told.acknowledged)} acknowledged, "
                f"{len(cloud.mailboxes.submissions)} submitted, "
                f"{time.monotonic() - began:.1f} s",
                flush=True,
            )
        async with asyncio.timeout(900):
            await emptied(daemon, flood, cloud.mailboxes.submissions)
        await daemon.stop()
        return judge(flood, cloud.mailboxes.submissions, daemon.kills, unanswered)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--messages", type=int, default=2000, help="in each round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", action="store_true", help="the cloud has a bad day too")
    chosen = parser.parse_args()
    # The sandbox's web server logs each request that a killed daemon left incomplete.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        rounds, messages = chosen.rounds, chosen.messages
        running = run(rounds, messages, chosen.seed, Path(folder), faults=chosen.faults)
        verdict = asyncio.run(running)
    print(verdict)
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
