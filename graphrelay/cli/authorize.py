"""`graphrelay authorize ACCOUNT`."""

import getpass
import os
import sys
import webbrowser
from pathlib import Path

import click

from graphrelay.cli import output
from graphrelay.cli.ask import NO, events
from graphrelay.cli.output import Event, json_option
from graphrelay.cli.typed import typed_line


@click.command(name="authorize")
@click.argument("account", metavar="ACCOUNT")
@click.option("--device", "method", flag_value="device", help="Type a code in on another machine.")
@click.option(
    "--paste",
    "method",
    flag_value="paste",
    help="Open the address elsewhere and bring back the one that the browser ends up at.",
)
@json_option
@click.pass_obj
def command(config: Path, account: str, method: str | None, as_json: bool) -> None:
    """Sign in an account of the configuration, once.

    Opens a browser on this machine, unless --device or --paste. Goes through the running daemon;
    until the new authorization is stored, an old one keeps working.
    """
    told = _Teller(as_json)
    arguments = {"account": account, "method": method or "browser", "by": getpass.getuser()}
    events(config, "authorize", arguments, told, _ask_for_address)
    sys.exit(0 if told.authorized else NO)


class _Teller:
    """Says each event to the person, and remembers how it ended."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._counting = False
        self.authorized = False

    def __call__(self, event: Event) -> None:
        self.authorized = event["kind"] == "authorized"
        if self._as_json:
            output.print_json(event)
            return
        if self._counting and event["kind"] != "waiting":
            click.echo()
            self._counting = False
        getattr(self, f"_{event['kind'].replace('-', '_')}")(event)

    def _asks(self, event: Event) -> None:
        click.echo("This account needs:")
        for permission in event["permissions"]:
            click.echo(f"  {permission['name']:<16} {permission['reason']}")
        if event["risk"]:
            click.secho(f"Mind: {event['risk']}", fg="yellow")

    def _open(self, event: Event) -> None:
        click.echo(f"\nSign in here, in a browser on this machine:\n\n  {event['url']}\n")
        if not (_has_a_desktop() and webbrowser.open(event["url"])):
            click.echo("No browser could be opened. Without one on this machine: --device")

    def _open_elsewhere(self, event: Event) -> None:
        click.echo(f"\nSign in here, in a browser anywhere:\n\n  {event['url']}\n")
        click.echo("It ends at a page that cannot be shown; copy that page's address.")

    def _device(self, event: Event) -> None:
        click.echo(f"\nOpen {event['url']} and type in: ", nl=False)
        click.secho(f"{event['code']}\n", bold=True)

    def _waiting(self, event: Event) -> None:
        """On a terminal it counts down; elsewhere it says once how long there is."""
        minutes, seconds = divmod(event["seconds"], 60)
        text = f"QueueEntry, {minutes}:{seconds:02} left (Ctrl-C gives up) "
        if sys.stdout.isatty():
            click.echo(f"\r{text}", nl=False)
        elif not self._counting:
            click.echo(text.rstrip(), nl=False)
        self._counting = True

    def _authorized(self, event: Event) -> None:
        click.secho("Authorized", fg="green", bold=True, nl=False)
        click.echo(f": {event['who']}, with {', '.join(event['granted']) or 'no scopes named'}")

    def _refused(self, event: Event) -> None:
        click.secho("Not authorized", fg="red", bold=True, nl=False, err=True)
        click.echo(f": {event['reason']}", err=True)


def _has_a_desktop() -> bool:
    """Else a browser in text mode might be found, which would take this terminal for itself."""
    named = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in named)


async def _ask_for_address(_: str) -> str:
    click.echo("Paste the address here: ", nl=False, err=True)
    return await typed_line()
