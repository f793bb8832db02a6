"""`graphrelay alert-test`."""

import sys
from pathlib import Path

import click

from graphrelay.cli import output
from graphrelay.cli.ask import NO, carry_out
from graphrelay.cli.output import Output, json_option


@click.command(name="alert-test")
@json_option
@click.pass_obj
def command(config: Path, as_json: bool) -> None:
    """Send a test alert by every channel in [alerts].

    The channels are the webhooks and the command of the configuration. A running relay sends the
    alert, with the configuration that it has loaded; if none runs, this command does. Each channel
    is tried once, and its result is printed.

    Exit status: 0 if every channel worked, 1 if one did not.
    """
    outcomes: list[bool] = []

    def show(event: Output) -> None:
        outcomes.append(event["sent"])
        (output.print_json if as_json else _print)(event)

    carry_out(config, "alert-test", {}, show)
    sys.exit(0 if outcomes and all(outcomes) else NO)


def _print(event: Output) -> None:
    if event["sent"]:
        click.secho(f"sent       {event['channel']}", fg="green")
    else:
        click.secho(f"not sent   {event['channel']}: {event['reason']}", fg="red")
