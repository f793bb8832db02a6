"""`graphrelay reload`."""

from pathlib import Path

import click

from graphrelay.cli import machine, output
from graphrelay.cli.ask import CommandFailed, by_the_daemon, checked, readable
from graphrelay.cli.output import Output, json_option


@click.command(name="reload")
@json_option
@click.pass_obj
def command(config: Path, as_json: bool) -> None:
    """Apply the changed configuration.

    The running relay reads its file again: listeners, limits, logins, accounts, routes and alerts
    are changed all at once, and no connection is dropped. A file with mistakes changes nothing:
    every mistake is printed, and the exit status is 1. Some tables need a restart; if one of them
    changed, the command says so. `systemctl reload graphrelay` runs this command.
    """
    from graphrelay.control.socket.client import NoDaemon
    from graphrelay.control.verb import VerbError

    try:
        with readable(config):
            for event in by_the_daemon(config, "reload", {}):
                if as_json:
                    output.print_json(event)
                else:
                    _print(config, event)
    except NoDaemon as error:
        checked(config)  # ends here if the file has mistakes
        raise CommandFailed(f"no relay answers at {error}. Run: {machine.start(config)}") from error
    except VerbError as error:
        raise CommandFailed(str(error)) from error


def _print(config: Path, event: Output) -> None:
    click.echo(f"{config} is in effect")
    for warning in event["warnings"]:
        click.echo(f"warning: {warning}")
    if tables := event["needs_restart"]:
        names = ", ".join(f"[{name}]" for name in tables)
        click.echo(f"changed, and read only at start: {names}. Run: {machine.restart(config)}")
