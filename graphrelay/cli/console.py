"""`graphrelay console`."""

import getpass
from pathlib import Path

import click

from graphrelay.cli import output
from graphrelay.cli.ask import carry_out
from graphrelay.cli.browser import open_browser
from graphrelay.cli.output import Output, json_option


@click.command(name="console")
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@json_option
@click.pass_obj
def command(config: Path, no_browser: bool, as_json: bool) -> None:
    """Open the console in a browser, signed in.

    Prints a link, and opens it where this machine has a desktop. The link works once, within five
    minutes, and signs in whoever opens it as an operator. From another machine, forward the port
    first: ssh -L 8026:127.0.0.1:8026 HOST

    Users who may not run this command sign in with a name and a password: [[console.users]] in the
    configuration.

    \b
    Example:
      graphrelay console
    """

    def show(event: Output) -> None:
        if as_json:
            output.print_json(event)
            return
        click.echo(f"The link works once, until {output.local_time(event['until'])}:\n")
        click.echo(f"  {event['url']}")
        if not no_browser:
            open_browser(event["url"])

    carry_out(config, "console-link", {"by": getpass.getuser()}, show)
