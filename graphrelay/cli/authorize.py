"""`graphrelay authorize ACCOUNT`."""

import getpass
import sys
from pathlib import Path

import click

from graphrelay.cli import output
from graphrelay.cli.ask import NO, carry_out
from graphrelay.cli.browser import open_browser
from graphrelay.cli.complete import accounts
from graphrelay.cli.output import Output, json_option
from graphrelay.cli.typed import typed_line


@click.command(name="authorize")
@click.argument("account", metavar="[ACCOUNT]", required=False, shell_complete=accounts)
@click.option(
    "--device", "method", flag_value="device", help="Sign in on any device, by typing a code there."
)
@click.option(
    "--paste",
    "method",
    flag_value="paste",
    help="Sign in with a browser elsewhere, and paste the address at which it ends.",
)
@json_option
@click.pass_obj
def command(config: Path, account: str | None, method: str | None, as_json: bool) -> None:
    """Authorize an account of the configuration: sign in, or approve an application.

    For the scenarios "user" and "personal" a browser opens on this machine. Sign in there as the
    configured user, and the relay keeps itself authorized from then on. On a server without a
    browser use --device, or --paste if the tenant blocks sign-in by device code.

    For "any-user" and "scoped-users" nobody signs in and this command is not needed: the relay
    sends with the credential in the configuration. Here the command checks that credential, shows
    what the application may do, and ends a pause by graphrelay revoke.

    With one account in the configuration, it need not be named.

    Mail that has been waiting for the authorization is sent at once. An old authorization stays in
    use until the new one is stored.

    \b
    Examples:
      graphrelay authorize website
      graphrelay authorize website --device

    Exit status: 0 if the account is authorized with every permission that it needs, 1 if not.
    """
    printer = _Printer(as_json)
    arguments = {"account": account, "method": method or "browser", "by": getpass.getuser()}
    carry_out(config, "authorize", arguments, printer, _ask_for_address)
    sys.exit(0 if printer.authorized else NO)


class _Printer:
    """Prints each event, and keeps how it ended."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._counting = False
        self.authorized = False

    def __call__(self, event: Output) -> None:
        self.authorized = event["kind"] == "authorized"
        if self._as_json:
            output.print_json(event)
            return
        if self._counting and event["kind"] != "waiting":
            click.echo()
            self._counting = False
        getattr(self, f"_{event['kind'].replace('-', '_')}")(event)

    def _asks(self, event: Output) -> None:
        click.echo("This account needs:")
        for permission in event["permissions"]:
            click.echo(f"  {permission['name']:<16} {permission['reason']}")
        if event["admin"]:
            click.secho(
                "Note: by Microsoft's default, users may not consent to "
                f"{', '.join(event['admin'])}"
                '; unless an admin has, the sign-in ends with "Need admin approval".',
                fg="yellow",
            )
        if event["risk"]:
            click.secho(f"Note: {event['risk']}", fg="yellow")

    def _open(self, event: Output) -> None:
        click.echo(f"\nSign in here, in a browser on this machine:\n\n  {event['url']}\n")
        if not open_browser(event["url"]):
            click.echo("No browser could be opened. On a machine without one, use --device.")

    def _open_elsewhere(self, event: Output) -> None:
        click.echo(f"\nSign in here, in a browser anywhere:\n\n  {event['url']}\n")
        click.echo("It ends at a page that cannot be displayed. Copy the address of that page.")

    def _incomplete(self, event: Output) -> None:
        click.echo(
            f"The address is incomplete: it has no {event['missing']}=. Copy all of it.", err=True
        )

    def _device(self, event: Output) -> None:
        click.echo(f"\nOpen {event['url']} and enter this code: ", nl=False)
        click.secho(f"{event['code']}\n", bold=True)

    def _waiting(self, event: Output) -> None:
        """Counts down on a terminal; elsewhere it prints the remaining time once."""
        minutes, seconds = divmod(event["seconds"], 60)
        text = f"Waiting, {minutes}:{seconds:02} left (Ctrl-C cancels) "
        if sys.stdout.isatty():
            click.echo(f"\r{text}", nl=False)
        elif not self._counting:
            click.echo(text.rstrip(), nl=False)
        self._counting = True

    def _authorized(self, event: Output) -> None:
        click.secho("Authorized", fg="green", bold=True, nl=False)
        click.echo(f": {event['who']}, with {', '.join(event['granted']) or 'no scopes named'}")

    def _refused(self, event: Output) -> None:
        click.secho("Not authorized", fg="red", bold=True, nl=False, err=True)
        click.echo(f": {event['reason']}", err=True)


async def _ask_for_address(_: str) -> str:
    click.echo("Paste the address here: ", nl=False, err=True)
    return await typed_line()
