"""What `graphrelay serve` runs on."""

import subprocess
import sys

COUNTED = """
import asyncio, os
from graphrelay.cli.serve import event_loop

def threads():
    return len(os.listdir("/proc/self/task"))

import uvloop
before = threads()
loop = event_loop()()
begun = threads() - before
host, port = "localhost", 0
loop.run_until_complete(loop.getaddrinfo(host, port))
works = [loop.run_in_executor(None, threads) for _ in range(20)]
loop.run_until_complete(asyncio.gather(*works))
print(begun, threads() - before)
loop.run_until_complete(loop.shutdown_default_executor())
loop.close()
"""


def test_all_threads_of_the_event_loop_are_there_from_the_start() -> None:
    counted = subprocess.run(
        [sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True
    )
    begun, in_use = map(int, counted.stdout.split())
    assert begun == in_use > 0
