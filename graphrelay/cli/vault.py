"""`graphrelay vault …`."""

from pathlib import Path

import click

from graphrelay.cli import output
from graphrelay.cli.ask import events
from graphrelay.cli.output import Event, json_option

BACKENDS = ["file", "secret-service", "keychain"]


@click.group(name="vault")
def command() -> None:
    """See where authorizations are kept, change the key, or move them elsewhere. Names are shown,
    values never."""


@command.command(name="list")
@json_option
@click.pass_obj
def list_(config: Path, as_json: bool) -> None:
    """Show which backend it is and why, and the names of what it holds."""
    told: list[Event] = []
    events(config, "vault-list", {}, output.print_json if as_json else told.append)
    if as_json:
        return
    place, *secrets = told
    click.echo(f"{place['backend']} ({place['reason']})")
    if not secrets:
        click.echo("nothing is kept there")
        return
    rows = [[one["name"], _of_whom(one)] for one in secrets]
    output.table(["NAME", "ACCOUNT"], rows)


def _of_whom(secret: Event) -> str:
    return "configured" if secret["configured"] else "not in the configuration"


@command.command()
@json_option
@click.pass_obj
def rotate(config: Path, as_json: bool) -> None:
    """Encrypt everything with a new key. Mail flows on meanwhile.

    For the backend "file" with its key file. A key that systemd hands over is changed by giving
    both: the new one in the first line, the old one in the second.
    """

    def tell(event: Event) -> None:
        number = event["secrets"]
        click.echo(f"{number} secret{'' if number == 1 else 's'} encrypted with a new key")

    events(config, "vault-rotate", {}, output.print_json if as_json else tell)


@command.command()
@click.option(
    "--to", type=click.Choice(BACKENDS), required=True, help="Where everything is to be kept."
)
@json_option
@click.pass_obj
def move(config: Path, to: str, as_json: bool) -> None:
    """Move everything to another backend. It is there, and was read back, before it is deleted
    here; a running relay goes by the new place at once.

    The configuration must then say so as well: backend = "…" in [vault].
    """

    def tell(event: Event) -> None:
        moved = ", ".join(event["names"]) or "nothing, as there was nothing"
        click.echo(f"moved from {event['from']} to {event['to']}: {moved}")
        if not event["configured"]:
            click.secho(f'Now set in [vault] of {config}: backend = "{to}"', fg="yellow")

    events(config, "vault-move", {"to": to}, output.print_json if as_json else tell)
