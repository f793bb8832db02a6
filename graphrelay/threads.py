"""Threads that are all there from the start, so that none is missing later.

A `ThreadPoolExecutor` starts them one by one when there is work. Where the machine has none left by
then (a cgroup's or a user's limit, no memory for a stack), `submit` raises and has queued the work
all the same: it is done later, behind the back of a caller who has given up and tidied up.
"""

import errno
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier


def all_started(most: int, name: str) -> ThreadPoolExecutor:
    """An executor whose `most` threads wait for work. Raises `OSError` where there are too few."""
    pool = ThreadPoolExecutor(most, thread_name_prefix=name)
    met = Barrier(most + 1)
    try:
        for _ in range(most):
            pool.submit(met.wait)
    except RuntimeError as error:
        met.abort()
        pool.shutdown()
        raise OSError(errno.EAGAIN, "The machine lets no more threads start") from error
    met.wait()
    return pool
