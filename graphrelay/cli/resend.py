"""`graphrelay resend ID`."""

from pathlib import Path

import click

from graphrelay.cli import machine, output
from graphrelay.cli.ask import carry_out
from graphrelay.cli.output import Output, json_option


@click.command(name="resend")
@click.argument("queue_id", metavar="ID")
@click.option("--reason", help="The reason, for the mail log.")
@json_option
@click.pass_obj
def command(config: Path, queue_id: str, reason: str | None, as_json: bool) -> None:
    """Send a message once more, as it was.

    To all its recipients, or with an ID such as 4QX7K2M9/2 to those of that part. It becomes a new
    message with its own ID, and is routed by the present configuration. The text and files of a
    message are kept after it is done for as long as log.keep_messages says; without that setting,
    nothing can be sent again.

    \b
    Example:
      graphrelay resend 4QX7K2M9 --reason "the recipient deleted it"
    """

    def show(event: Output) -> None:
        if as_json:
            output.print_json(event)
            return
        click.echo(
            f"{event['of']} is sent again as {event['queue_id']} to "
            f"{output.people(event['recipients'])}. To follow it: "
            f"{machine.program(config)} queue show {event['queue_id']}"
        )

    carry_out(config, "resend", {"queue_id": queue_id, "reason": reason}, show)
