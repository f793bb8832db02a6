"""Runs the work again and again in children of one warm process, each with other faults.

    python -m tests.crash.server LIBRARY        with LIBRARY in LD_PRELOAD

One order a line on stdin, as JSON (`Order`); one answer a line on stdout: how the child ended, and
how many steps it took. The reports of the child are in the file `told`, one line each.
"""

import asyncio
import ctypes
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.crash.work import shared_work, work


@dataclass(frozen=True, slots=True)
class Order:
    """What is to happen at which step (faults.c)."""

    directory: str
    told: str
    at: int = 0
    act: str = ""
    only: str = ""
    error: int = 0
    times: int = 1
    record: str = ""
    load: str = ""
    """Not a little of everything, but many callers at once; their messages have this in their
    names."""
    url: str = ""
    """Of a database, where the queue is not in the directory; then nothing fails on the disk."""

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


def run(order: Order, library: ctypes.CDLL) -> None:
    """The child."""
    told = os.open(order.told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tell(line: str) -> None:
        library.faults_tell(line.encode())
        os.write(told, line.encode() + b"\n")

    if order.url:
        asyncio.run(shared_work(order.url, tell, order.load))
        os.write(told, json.dumps({"what": "end", "steps": 0}).encode() + b"\n")
        return
    library.faults_arm(
        order.directory.encode(),
        ctypes.c_long(order.at),
        ctypes.c_char(order.act.encode() or b"\0"),
        ctypes.c_char(order.only.encode() or b"\0"),
        ctypes.c_int(order.error),
        ctypes.c_long(order.times),
        order.record.encode(),
    )
    asyncio.run(work(Path(order.directory), tell, order.load))
    steps = library.faults_taken()
    os.write(told, json.dumps({"what": "end", "steps": steps}).encode() + b"\n")


def main() -> None:
    library = ctypes.CDLL(sys.argv[1])
    for line in sys.stdin:
        order = Order(**json.loads(line))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                run(order, library)
                code = 0
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(code)
        _, status = os.waitpid(child, 0)
        answer = {"signal": status & 0x7F, "code": status >> 8}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
