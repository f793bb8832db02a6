"""Memory that holds tokens and mail is written to no core dump, and read by no other process of the
same user.

`LimitCORE=0` is not enough where the kernel hands core dumps to a program (core(5): the limit does
not hold for a pipe). Root may still read it with a debugger; nothing prevents that.
"""

import ctypes
import sys

_PR_SET_DUMPABLE = 4
"""From <linux/prctl.h>; see prctl(2)."""


def keep_to_ourselves() -> None:
    """From now on. Best effort: a kernel that forbids the call has rules of its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
