"""`graphrelay status [ACCOUNT]`."""

import sys
from pathlib import Path

import click

from graphrelay.cli import output
from graphrelay.cli.ask import NO, events
from graphrelay.cli.output import Event, json_option


@click.command(name="status")
@click.argument("account", metavar="[ACCOUNT]", required=False)
@json_option
@click.pass_obj
def command(config: Path, account: str | None, as_json: bool) -> None:
    """Say whether each account is authorized, and prove it by asking for a real token.

    Exit code 1 unless all is well.
    """
    found: list[Event] = []

    def tell(event: Event) -> None:
        found.append(event)
        (output.print_json if as_json else _print)(event)

    events(config, "status", {"account": account}, tell)
    sys.exit(0 if all(event["well"] for event in found) else NO)


def _print(status: Event) -> None:
    click.secho(status["status"], fg="green" if status["well"] else "red", bold=True, nl=False)
    click.echo(f"  {status['account']} ({status['scenario']})")
    if status["reason"]:
        click.echo(f"  why         {status['reason']}")
    if status.get("error"):
        suberror = f" / {status['suberror']}" if status["suberror"] else ""
        click.echo(f"  error       {status['error']}{suberror}")
    if status["remedy"]:
        click.echo(f"  what to do  {status['remedy']}")
    if status.get("who"):
        _print_evidence(status)
    click.echo(f"  vault       {status['vault']}")


def _print_evidence(status: Event) -> None:
    click.echo(f"  who         {status['who']} in tenant {status['tenant']}")
    authorized = output.local_time(status["authorized_at"])
    click.echo(f"  authorized  {authorized} by {status['authorized_by']}")
    click.echo(f"  refreshed   {output.local_time(status['refreshed_at'])}")
    if status["lapses_at"]:
        click.echo(f"  would lapse {output.local_time(status['lapses_at'])} if it were never used")
    click.echo(f"  granted     {', '.join(status['granted']) or 'nothing that the token names'}")
    for key, label in (("missing", "missing"), ("superfluous", "not needed")):
        if status[key]:
            click.secho(f"  {label:<12}{', '.join(status[key])}", fg="yellow")
