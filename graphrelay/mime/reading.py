"""Where text of strangers is read: not in the event loop, and no message in everybody's way.

    up to AT_ONCE octets     here and now: to hand it over would cost more
    up to LARGE              by one of two threads
    more                     by the one thread that large ones share

Reading takes time in proportion to the text, up to microseconds an octet. Mail as programs write it
has header sections of a few kilobytes; whoever sends very large ones waits for others who do the
same, and for nobody else. The threads that read from disks and hash passwords are not among these.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

AT_ONCE = 2 * 1024
LARGE = 64 * 1024
OF_A_RECIPIENT = 32
"""Octets of text that it is like to compare and write one recipient."""

P = ParamSpec("P")
T = TypeVar("T")

_SMALL_ONES = ThreadPoolExecutor(2, "reading")
_LARGE_ONES = ThreadPoolExecutor(1, "reading-large")


async def of(octets: int, read: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """What `read` makes of so many octets. Raises what it raises.

    A `read` that has begun goes on to its end even if the caller is cancelled.
    """
    if octets <= AT_ONCE:
        return read(*args, **named)
    threads = _LARGE_ONES if octets > LARGE else _SMALL_ONES
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(threads, lambda: read(*args, **named))


def header_size(beginning: bytes, recipients: int = 0) -> int:
    """How many octets reading the header section of a message is like, of which these are the
    first, for so many recipients."""
    end = beginning.find(b"\r\n\r\n", 0, AT_ONCE)
    return (end if end >= 0 else len(beginning)) + OF_A_RECIPIENT * recipients
