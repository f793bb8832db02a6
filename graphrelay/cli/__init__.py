"""The command line: one command per file, imported only when it is called.

Exit status: 0 success, 1 the answer is "no" (not authorized, not sent), 2 usage, 78 the
configuration cannot be used.
"""

import importlib
import sys
from pathlib import Path

import click

from graphrelay import __version__
from graphrelay.cli import output

VERBS = {
    "demo": "Try everything on this machine, without a Microsoft account.",
    "console": "Open the console in a browser, signed in.",
    "init": "Create a configuration, and show how to register the application.",
    "check-config": "Check the configuration.",
    "serve": "Run the relay in the foreground.",
    "reload": "Apply a changed configuration.",
    "authorize": "Authorize an account: sign in, or check an application.",
    "status": "Show whether the relay runs and its accounts are authorized.",
    "revoke": "Delete the authorization of an account, and pause it.",
    "setup-scope": "Print the PowerShell that limits an application to its mailboxes.",
    "send-test": "Send a test message, and follow it.",
    "doctor": "Check what the relay assumes about Microsoft, with a real account.",
    "teach-headers": "Make header fields known to a mailbox that loses them.",
    "queue": "List and change the messages that are waiting.",
    "log": "Show what happened to messages.",
    "resend": "Send a message once more, as it was.",
    "lanes": "Show the state of each account and mailbox.",
    "hosts": "List the relays that share the queue.",
    "spool": "Prepare the queue that several relays share, or copy it.",
    "route": "Show which route a message would take, and why.",
    "alert-test": "Send a test alert by every channel in [alerts].",
    "backup": "Write queue, mail log and authorizations to a file.",
    "restore": "Restore the queue and the authorizations from a backup.",
    "vault": "Show, move or re-encrypt the stored authorizations.",
    "files": "Write the systemd units, man pages and completions of this version.",
    "hash-password": "Hash a password for [[smtp.users]].",
    "sandbox": "Run the sandbox cloud: Entra ID and Graph mail on loopback.",
}


class Verbs(click.Group):
    """Finds a command in the module of its name (`send-test` in `send_test`)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"graphrelay.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table above, so that `--help` imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nFirst steps:\n"
    "  graphrelay demo                try it: no configuration, no Microsoft account\n"
    "  graphrelay init                create a configuration, step by step\n"
    "  graphrelay COMMAND --help      what a command does, with examples",
)
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, readable=False),
    envvar="GRAPHRELAY_CONFIG",
    default=Path("/etc/graphrelay/config.toml"),
    show_default=True,
    metavar="FILE",
    help="The configuration file. Also: $GRAPHRELAY_CONFIG.",
)
@click.version_option(__version__, prog_name="graphrelay", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, config: Path) -> None:
    """Accept mail by SMTP from applications that do not support OAuth, and submit it to
    Microsoft 365 through Microsoft Graph.

    Most commands ask the running relay through its control socket, so run them as root or as the
    user of the service. Listings take --json, for one JSON object a line.

    Exit status: 0 on success; 1 if the answer is no (not authorized, not sent); 2 for a wrong
    command line; 78 if the configuration cannot be used.
    """
    context.obj = config


def main() -> None:
    """Run the program. Ctrl-C ends it with status 130, as shells expect."""
    output.never_fail()
    try:
        cli.main(prog_name="graphrelay", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in output.UNWRITTEN:
            raise
        output.close_quietly(error)
        sys.exit(1)
