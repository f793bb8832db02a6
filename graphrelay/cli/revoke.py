"""`graphrelay revoke ACCOUNT`."""

from pathlib import Path

import click

from graphrelay.cli import machine
from graphrelay.cli.ask import carry_out
from graphrelay.cli.complete import accounts
from graphrelay.cli.output import Output


@click.command(name="revoke")
@click.argument("account", metavar="ACCOUNT", shell_complete=accounts)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def command(config: Path, account: str, yes: bool) -> None:
    """Delete the tokens of an account from this machine, and pause it.

    The account's mail waits in the queue until somebody runs graphrelay authorize; none is lost.
    That holds for an application too, although its credential is in the configuration: it is not
    used until then. Microsoft keeps the consent. To withdraw that too: Entra admin center >
    Enterprise applications > the application > Permissions.
    """

    async def confirmed(_: str) -> str:
        from graphrelay.cli.typed import typed_line

        question = f"Mail of {account} will wait until it is authorized again. Continue? [y/N]: "
        click.echo(question, nl=False, err=True)
        return await typed_line()

    def show(event: Output) -> None:
        if not event["revoked"]:
            raise click.Abort
        click.echo(
            f"{account}: its tokens were deleted, and its mail waits. To send it again: "
            f"{machine.program(config)} authorize {account}"
        )

    carry_out(config, "revoke", {"account": account, "confirm": not yes}, show, confirmed)
