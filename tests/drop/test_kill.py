"""The relay killed while it takes mail out of the drop folder."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from graphrelay.cli.demo import authorize
from graphrelay.config import load
from graphrelay.daemon.relay import running
from graphrelay.daemon.wiring import wired
from graphrelay.drop import DropFolder
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from tests.drop.dying import POINTS
from tests.drop.folder import leave, names

TIMES = {"before-commit": 1, "before-delete": 2, "before-sync": 1}
"""How often the message arrives: behind the commit and before the deletion it doubles, as
docs/drop.md says, and nowhere else."""


@pytest.mark.parametrize("point", POINTS)
async def test_nothing_is_lost_and_one_point_doubles(tmp_path: Path, point: str) -> None:
    spool = tmp_path / "mail"
    spool.mkdir()
    async with Sandbox() as cloud:
        config = tmp_path / "config.toml"
        text = relay_config(cloud, tmp_path / "state", "127.0.0.1:0", "any-user")
        config.write_text(f'{text}\n[drop]\ndirectory = "{spool}"\n', "utf-8")
        DropFolder.open(spool).close()
        leave(spool, "anna@example.org")
        dying = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.drop.dying", config, point)
        )
        assert await asyncio.wait_for(dying.wait(), 60) == -signal.SIGKILL
        # Not authorized until here, so that nothing was on its way to the cloud when it died.
        async with running(wired(load(config)), None, lambda _: None) as relay:
            await authorize(cloud, relay)
            mails = await cloud.mailboxes.arrived(TIMES[point], timeout=30)
        assert len(cloud.mailboxes.submitted) == len(mails) == TIMES[point]
        assert names(spool / "drop") == names(spool / "refused") == []
