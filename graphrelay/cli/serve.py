"""`graphrelay serve`."""

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import click
from click.core import ParameterSource

from graphrelay.cli.ask import CommandFailed, end_with_problems

WORKERS = min(32, (os.cpu_count() or 1) + 4)
"""Threads for what would block the event loop; as many as Python would start by itself."""
DESCRIPTORS = 65_536
"""As in systemd/graphrelay.service."""


@click.command(name="serve")
@click.pass_context
def command(context: click.Context) -> None:
    """Run the relay in the foreground.

    Without --config and $GRAPHRELAY_CONFIG the file may be missing: the relay then runs with
    defaults and without an account, and the console (graphrelay console) sets one up.

    \b
    SIGTERM, SIGINT  stop: accept nothing more, finish the requests in flight within
                     delivery.shutdown_grace; the rest stays in the queue
    SIGHUP           read the configuration again; a bad one is refused, and the old one
                     stays in effect

    As a systemd service (Type=notify) it reports when it is ready, reloading and stopping.

    Exit status: 0 after a stop, 1 if it cannot start or go on, 78 if the configuration cannot
    be used.
    """
    from graphrelay.daemon.reading import ConfigReading, Unusable

    config: Path = context.obj
    usual = context.find_root().get_parameter_source("config") is ParameterSource.DEFAULT
    try:
        reading = ConfigReading(config, may_be_missing=usual)  # while all else is imported
    except OSError as error:
        raise CommandFailed(f"no process to read the configuration: {error}") from error
    from graphrelay.daemon.relay import CannotStart
    from graphrelay.daemon.signals import serve
    from graphrelay.memory import collect_seldom, disable_core_dumps
    from graphrelay.spool.errors import FateUnknown

    disable_core_dumps()
    collect_seldom()
    take_descriptors()
    try:
        with asyncio.Runner(loop_factory=event_loop()) as runner:
            runner.run(serve(config, reading))
    except Unusable as error:
        end_with_problems(error)
    except (CannotStart, FateUnknown) as error:
        raise CommandFailed(str(error)) from error


def take_descriptors() -> None:
    """Raise the limit of open files as far as the system permits: a shell's 1,024 are too few for a
    thousand clients."""
    ours, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if most == resource.RLIM_INFINITY else min(DESCRIPTORS, most)
    if ours != resource.RLIM_INFINITY and ours < wanted:
        with contextlib.suppress(OSError, ValueError):  # then the limit stays as it was
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, if it is installed: it saves a tenth of the CPU of a message. `None` means
    asyncio's own."""
    from graphrelay.threads import all_started

    try:
        import uvloop
    except ImportError:
        return None

    def with_all_its_threads() -> asyncio.AbstractEventLoop:
        # libuv starts its threads with the first name look-up, and calls abort() if the machine has
        # none left by then. If there are none now, no mail is in flight yet.
        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        loop.run_until_complete(loop.getnameinfo(("127.0.0.1", 0), numeric))
        loop.set_default_executor(all_started(WORKERS, "work"))
        return loop

    return with_all_its_threads
