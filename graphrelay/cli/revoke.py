"""`graphrelay revoke ACCOUNT`."""

from pathlib import Path

import click

from graphrelay.cli.ask import carry_out
from graphrelay.cli.complete import accounts


@click.command(name="revoke")
@click.argument("account", metavar="ACCOUNT", shell_complete=accounts)
@click.confirmation_option(
    "--yes",
    prompt="Mail of this account will wait until it is authorized again. Continue?",
    help="Do not ask for confirmation.",
)
@click.pass_obj
def command(config: Path, account: str) -> None:
    """Delete the authorization of an account from this machine.

    The account's mail waits in the queue until the account is authorized again; none is lost.
    Microsoft keeps the consent. To withdraw that too: Entra admin center > Enterprise applications
    > the application > Permissions.
    """

    def show(_: object) -> None:
        click.echo(f"{account}: the authorization was deleted")

    carry_out(config, "revoke", {"account": account}, show)
