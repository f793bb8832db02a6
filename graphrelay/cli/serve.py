"""`graphrelay serve`."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import click

from graphrelay.cli.ask import BAD_CONFIG, Failed


@click.command(name="serve")
@click.pass_obj
def command(config: Path) -> None:
    """Run the relay in the foreground. SIGTERM finishes what is in flight, SIGHUP reads the
    configuration anew; under systemd, readiness is told when it listens."""
    from graphrelay.cli.memory import collect_seldom, keep_to_ourselves
    from graphrelay.config import ConfigError
    from graphrelay.daemon import CannotStart
    from graphrelay.service import serve

    keep_to_ourselves()
    collect_seldom()
    try:
        with asyncio.Runner(loop_factory=event_loop()) as runner:
            runner.run(serve(config))
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"{config}: {problem}", err=True)
        sys.exit(BAD_CONFIG)
    except CannotStart as error:
        raise Failed(str(error)) from error


def event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed, since a message costs a tenth less CPU there; `None` is
    asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
