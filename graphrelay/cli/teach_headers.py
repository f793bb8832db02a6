"""`graphrelay teach-headers ACCOUNT NAME…`."""

from pathlib import Path

import click

from graphrelay.cli.ask import carry_out
from graphrelay.cli.complete import accounts
from graphrelay.cli.output import Output


@click.command(name="teach-headers")
@click.argument("account", metavar="ACCOUNT", shell_complete=accounts)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--mailbox", metavar="ADDRESS", help="The mailbox. Default: the account's own or first one."
)
@click.pass_obj
def command(config: Path, account: str, names: tuple[str, ...], mailbox: str | None) -> None:
    """Make header fields known to a mailbox that loses them.

    A mailbox may drop header fields that begin with X- from mail until it has once sent them in
    another form. This sends one message from the mailbox to itself, with up to five such fields. It
    is needed once for each mailbox and name, and only where recipients miss the field.

    \b
    Example:
      graphrelay teach-headers website X-Shop-Order X-Shop-Customer

    Exit status: 0 if the message was sent, 1 if not.
    """

    def show(event: Output) -> None:
        click.echo(f"{event['mailbox']} was sent a message with {', '.join(event['names'])}")

    arguments = {"account": account, "names": list(names), "mailbox": mailbox}
    carry_out(config, "teach-headers", arguments, show)
