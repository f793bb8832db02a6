"""The garbage collector of a daemon."""

import subprocess
import sys

PROGRAM = """
import gc, weakref
from graphrelay.memory import collect_seldom

class Node:
    pass

collect_seldom()
print(gc.get_freeze_count() > 1000)
looked = gc.get_stats()[0]["collections"]
for _ in range(1000):
    node = Node()
    node.itself = node
seen = weakref.ref(node)
del node
print(gc.get_stats()[0]["collections"] - looked, seen() is None)
for _ in range(50_000):
    node = Node()
    node.itself = node
print(seen() is None)
"""


def test_a_daemon_looks_for_garbage_seldom_but_finds_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "0", "False", "True"]
