"""A line that a person types, read without a thread, so that Ctrl-C ends the wait.

A thread that blocks in `input()` cannot be woken, and would keep the program from ending.
"""

import asyncio
import os
import sys

import click


async def typed_line() -> str:
    """The next line of standard input, without its end. Raises `click.Abort` at its end."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[bytes] = loop.create_future()
    descriptor, read = sys.stdin.fileno(), bytearray()

    def more() -> None:
        octets = os.read(descriptor, 65_536)
        read.extend(octets)
        if b"\n" in octets or not octets:
            loop.remove_reader(descriptor)
            line.set_result(bytes(read))

    try:
        loop.add_reader(descriptor, more)
    except PermissionError:  # a regular file (epoll(7)), which is always readable
        return sys.stdin.readline().strip()
    try:
        text = (await line).decode("utf-8", "replace")
    finally:
        loop.remove_reader(descriptor)
    if not text:
        raise click.Abort
    return text.splitlines()[0]
