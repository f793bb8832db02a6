"""A relay that dies (SIGKILL) at a given step of taking a file out of the drop folder.

python -m tests.drop.dying CONFIG before-commit | before-delete | before-sync
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from graphrelay.config import load
from graphrelay.daemon.relay import running
from graphrelay.daemon.wiring import wired
from graphrelay.drop import DropFolder
from graphrelay.spool.sqlite import SqliteSpool

POINTS = {
    "before-commit": (SqliteSpool, "accept"),
    "before-delete": (DropFolder, "delete"),
    "before-sync": (DropFolder, "sync"),
}


def die(*_: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(config: Path, point: str) -> None:
    setattr(*POINTS[point], die)
    async with running(wired(load(config)), None, lambda _: None):
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
