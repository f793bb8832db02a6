"""The memory of a daemon: kept from others, and looked through for garbage no oftener than needed.

What holds tokens and mail is written to no core dump, and read by no other process of the same
user. `LimitCORE=0` is not enough where the kernel hands core dumps to a program (core(5): the limit
does not hold for a pipe). Root may still read it with a debugger; nothing prevents that.
"""

import ctypes
import gc
import sys

_PR_SET_DUMPABLE = 4
"""From <linux/prctl.h>; see prctl(2)."""
_NEW_OBJECTS = 20_000
"""A few megabytes, until Python looks for cycles among them."""


def keep_to_ourselves() -> None:
    """From now on. Best effort: a kernel that forbids the call has rules of its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def collect_seldom() -> None:
    """A message leaves almost no cycles behind, and Python looks for some after 700 new objects,
    again and again through all that was loaded at the start: a twentieth of the CPU of a message.
    To be called when the program is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 50)
