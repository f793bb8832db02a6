"""`graphrelay vault …`."""

from pathlib import Path

import click

from graphrelay.cli import output
from graphrelay.cli.ask import carry_out
from graphrelay.cli.output import Output, json_option

BACKENDS = ["file", "secret-service", "keychain"]


@click.group(name="vault")
def command() -> None:
    """Show, move or re-encrypt the stored authorizations.

    The vault keeps the refresh tokens. Its backend is the keyring of the desktop, or encrypted
    files below the state directory. Only names are ever shown, never values.
    """


@command.command(name="list")
@json_option
@click.pass_obj
def list_(config: Path, as_json: bool) -> None:
    """Show the backend, why it was chosen, and the names in it."""
    found: list[Output] = []
    carry_out(config, "vault-list", {}, output.print_json if as_json else found.append)
    if as_json:
        return
    place, *secrets = found
    click.echo(f"{place['backend']} ({place['reason']})")
    if not secrets:
        click.echo("the vault is empty")
        return
    rows = [[one["name"], _of_whom(one)] for one in secrets]
    output.table(["NAME", "ACCOUNT"], rows)


def _of_whom(secret: Output) -> str:
    return "configured" if secret["configured"] else "not in the configuration"


@command.command()
@json_option
@click.pass_obj
def rotate(config: Path, as_json: bool) -> None:
    """Encrypt everything with a new key.

    For the backend "file" with its own key file. Mail is sent meanwhile. To change a key that is a
    systemd credential, put both keys into it (the new one on the first line, the old one on the
    second) and restart the relay.
    """

    def show(event: Output) -> None:
        number = event["secrets"]
        click.echo(f"{number} secret{'' if number == 1 else 's'} encrypted with a new key")

    carry_out(config, "vault-rotate", {}, output.print_json if as_json else show)


@command.command()
@click.option("--to", type=click.Choice(BACKENDS), required=True, help="The new backend.")
@json_option
@click.pass_obj
def move(config: Path, to: str, as_json: bool) -> None:
    """Move everything to another backend.

    Each secret is written there and read back before it is deleted here. A running relay uses the
    new backend at once. Then set it in the configuration too: backend in [vault].

    \b
    Example:
      graphrelay vault move --to file
    """

    def show(event: Output) -> None:
        moved = ", ".join(event["names"]) or "nothing (the vault was empty)"
        click.echo(f"moved from {event['from']} to {event['to']}: {moved}")
        if not event["configured"]:
            click.secho(f'Now set backend = "{to}" in [vault] of {config}', fg="yellow")

    carry_out(config, "vault-move", {"to": to}, output.print_json if as_json else show)
