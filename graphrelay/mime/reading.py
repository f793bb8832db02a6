"""Where untrusted text is parsed: not in the event loop, and so that no message delays all others.

    up to AT_ONCE octets     here and now: to hand it over would cost more
    up to LARGE              by one of two threads
    more                     by the one thread that large ones share

Parsing takes time in proportion to the text, up to microseconds an octet. Ordinary mail has header
sections of a few kilobytes; very large ones wait only for each other. The threads that read from
disks and hash passwords are separate from these.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

AT_ONCE = 2 * 1024
LARGE = 64 * 1024
OF_A_RECIPIENT = 32
"""How many octets of text cost as much as comparing and writing one recipient."""

P = ParamSpec("P")
T = TypeVar("T")

_SMALL_ONES = ThreadPoolExecutor(2, "reading")
_LARGE_ONES = ThreadPoolExecutor(1, "reading-large")


async def of(octets: int, read: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """The result of `read`, which parses this many octets. Raises what `read` raises.

    A `read` that has started completes even if the caller is cancelled.
    """
    if octets <= AT_ONCE:
        return read(*args, **named)
    threads = _LARGE_ONES if octets > LARGE else _SMALL_ONES
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(threads, lambda: read(*args, **named))


def header_size(beginning: bytes, recipients: int = 0) -> int:
    """The cost, in octets, of parsing the header section of a message that begins with these
    octets, for this many recipients."""
    end = beginning.find(b"\r\n\r\n", 0, AT_ONCE)
    return (end if end >= 0 else len(beginning)) + OF_A_RECIPIENT * recipients
