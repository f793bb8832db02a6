"""The command line: one verb per file, imported only when it is asked for.

Exit codes: 0 fine, 1 the answer is "no" (not authorized, not sent), 2 usage, 78 bad configuration.
"""

import importlib
import sys
from pathlib import Path

import click

from graphrelay import __version__
from graphrelay.cli import output

VERBS = {
    "serve": "Run the relay in the foreground (what systemd starts).",
    "demo": "Try it all on this machine: sandbox cloud, relay and mail reader.",
    "sandbox": "Run the sandbox cloud alone: Entra ID and Graph mail on loopback.",
    "init": "Make a configuration, and show how to register the application.",
    "setup-scope": "Print the Exchange PowerShell that limits an application to mailboxes.",
    "authorize": "Sign in an account, once.",
    "status": "Say whether each account is authorized, and prove it.",
    "revoke": "Delete an account's authorization.",
    "vault": "Show where authorizations are kept, change the key, or move them.",
    "send-test": "Send one message all the way, each step printed.",
    "route": "Say which route mail would take, and why not the earlier ones.",
    "queue": "List, show, retry, hold, release and delete what waits.",
    "log": "Show what happened to mail: who, to whom, outcome, reason.",
    "alert-test": "Send a test alert by every way in [alerts].",
    "lanes": "Show each account and mailbox: state, in flight, waiting.",
    "check-config": "Check the configuration and say every mistake in it.",
    "hash-password": "Hash a password for [[smtp.users]].",
}


class Verbs(click.Group):
    """Finds a verb's command in the module of its name (`send-test` in `send_test`)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"graphrelay.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table above, so that `--help` imports no verb."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="First time? `graphrelay demo` needs no configuration and no Microsoft account.",
)
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="GRAPHRELAY_CONFIG",
    default=Path("/etc/graphrelay/config.toml"),
    show_default=True,
    metavar="FILE",
    help="The configuration file ($GRAPHRELAY_CONFIG).",
)
@click.version_option(__version__, prog_name="graphrelay", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, config: Path) -> None:
    """Take mail by SMTP from applications that know no OAuth, and submit it to Microsoft 365
    through Microsoft Graph."""
    context.obj = config


def main() -> None:
    """The program. Ctrl-C at a question or a listing ends it with the shell's usual 130."""
    output.never_fail()
    try:
        cli.main(prog_name="graphrelay", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
