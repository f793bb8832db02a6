"""`graphrelay revoke ACCOUNT`."""

from pathlib import Path

import click

from graphrelay.cli.ask import events


@click.command(name="revoke")
@click.argument("account", metavar="ACCOUNT")
@click.confirmation_option(
    "--yes", prompt="Mail of this account will wait until it is authorized again. Delete?"
)
@click.pass_obj
def command(config: Path, account: str) -> None:
    """Delete an account's authorization here. Its mail waits; nothing is lost.

    Microsoft keeps the consent: withdraw it in Entra (Enterprise applications > Permissions).
    """

    def tell(_: object) -> None:
        click.echo(f"{account}: the authorization is deleted")

    events(config, "revoke", {"account": account}, tell)
