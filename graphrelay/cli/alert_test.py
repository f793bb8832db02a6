"""`graphrelay alert-test`."""

import sys
from pathlib import Path

import click

from graphrelay.cli import output
from graphrelay.cli.ask import NO, events
from graphrelay.cli.output import Event, json_option


@click.command(name="alert-test")
@json_option
@click.pass_obj
def command(config: Path, as_json: bool) -> None:
    """Send a test alert by every way in [alerts], and say what came of each.

    Through the running daemon, with the configuration that it has; without one, by itself.
    Each way is tried once. Exit code 1 unless all worked.
    """
    outcomes: list[bool] = []

    def tell(event: Event) -> None:
        outcomes.append(event["sent"])
        (output.print_json if as_json else _print)(event)

    events(config, "alert-test", {}, tell)
    sys.exit(0 if outcomes and all(outcomes) else NO)


def _print(event: Event) -> None:
    if event["sent"]:
        click.secho(f"sent       {event['way']}", fg="green")
    else:
        click.secho(f"not sent   {event['way']}: {event['reason']}", fg="red")
