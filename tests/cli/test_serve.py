"""What `graphrelay serve` runs on."""

import subprocess
import sys

COUNTED = """
import os
from graphrelay.cli.serve import event_loop

def threads():
    return len(os.listdir("/proc/self/task"))

import uvloop
before = threads()
loop = event_loop()()
begun = threads() - before
host, port = "localhost", 0
loop.run_until_complete(loop.getaddrinfo(host, port))
print(begun, threads() - before)
loop.close()
"""


def test_the_threads_that_look_names_up_are_there_from_the_start() -> None:
    counted = subprocess.run(
        [sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True
    )
    begun, in_use = map(int, counted.stdout.split())
    assert begun == in_use > 0
