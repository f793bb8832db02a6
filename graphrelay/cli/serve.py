"""`graphrelay serve`."""

import asyncio
import contextlib
import os
import resource
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import click

from graphrelay.cli.ask import BAD_CONFIG, Failed

WORKERS = min(32, (os.cpu_count() or 1) + 4)
"""Threads for what would hold up the event loop; as many as Python would start in the end."""
DESCRIPTORS = 65_536
"""As systemd/graphrelay.service has it."""


@click.command(name="serve")
@click.pass_obj
def command(config: Path) -> None:
    """Run the relay in the foreground. SIGTERM finishes what is in flight, SIGHUP reads the
    configuration anew; under systemd, readiness is told when it listens."""
    from graphrelay.cli.memory import collect_seldom, keep_to_ourselves
    from graphrelay.config import ConfigError
    from graphrelay.daemon.relay import CannotStart
    from graphrelay.daemon.signals import serve

    keep_to_ourselves()
    collect_seldom()
    take_descriptors()
    try:
        with asyncio.Runner(loop_factory=event_loop()) as runner:
            runner.run(serve(config))
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"{config}: {problem}", err=True)
        sys.exit(BAD_CONFIG)
    except CannotStart as error:
        raise Failed(str(error)) from error


def take_descriptors() -> None:
    """As many as the system lets us have: a shell gives 1,024, which a thousand clients use up."""
    ours, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if most == resource.RLIM_INFINITY else min(DESCRIPTORS, most)
    if ours != resource.RLIM_INFINITY and ours < wanted:
        with contextlib.suppress(OSError, ValueError):  # then it is what was given
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed, since a message costs a tenth less CPU there; `None` is
    asyncio's own."""
    from graphrelay.threads import all_started

    try:
        import uvloop
    except ImportError:
        return None

    def with_all_its_threads() -> asyncio.AbstractEventLoop:
        # libuv starts those that look names up with the first look-up, and calls abort() where the
        # machine has none left by then: where there are none now, nothing is under way yet.
        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        loop.run_until_complete(loop.getnameinfo(("127.0.0.1", 0), numeric))
        loop.set_default_executor(all_started(WORKERS, "work"))
        return loop

    return with_all_its_threads
