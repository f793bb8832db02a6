"""The memory of the process: kept from others, and searched for garbage no more often than needed.

Memory that holds tokens and mail is written to no core dump, and cannot be read by other processes
of the same user. `LimitCORE=0` is not enough where the kernel pipes core dumps to a program
(core(5): the limit does not apply to a pipe). Root can still read it with a debugger.
"""

import ctypes
import gc
import sys

_PR_SET_DUMPABLE = 4
"""From <linux/prctl.h>; see prctl(2)."""
_NEW_OBJECTS = 20_000
"""A few megabytes, before Python looks for cycles among them."""


def disable_core_dumps() -> None:
    """From now on. Best effort: a kernel that forbids the call has rules of its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def collect_seldom() -> None:
    """A message leaves almost no cycles behind, but Python looks for them after every 700 new
    objects, through everything that was loaded at the start: 5 % of the CPU of a message. To be
    called when the program is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 50)
