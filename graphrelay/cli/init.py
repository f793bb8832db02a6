"""`graphrelay init`: from a few questions to a configuration that works.

    options, questions ──▶ Setup ──▶ steps and commands, shown ──▶ ids ──▶ config.toml

The steps of the registration are shown before the ids are asked for, since they produce the ids.
The file is checked as by `check-config` before it gets its name, so a bad one is never in place.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphrelay.cli import machine
from graphrelay.cli.ask import CommandFailed

if TYPE_CHECKING:
    from graphrelay.guide.setup import Setup

SCENARIOS = ("user", "personal", "any-user", "scoped-users")
CREDENTIALS = ("certificate", "secret", "managed-identity", "federated")
CLOUDS = ("global", "us-gov-high", "us-gov-dod", "china", "custom")


@click.command(name="init")
@click.option("--yes", is_flag=True, help="Ask nothing; use the defaults.")
@click.option("--force", is_flag=True, help="Overwrite an existing configuration.")
@click.option(
    "--scenario",
    type=click.Choice(SCENARIOS),
    help="How the account may send; see docs/scenarios.md.",
)
@click.option(
    "--credential",
    type=click.Choice(CREDENTIALS),
    help="How an application proves itself (any-user, scoped-users).",
)
@click.option("--account", metavar="NAME", help="A name of your choice for the account.")
@click.option("--tenant", metavar="ID", help="Directory (tenant) ID, or a verified domain.")
@click.option("--client-id", metavar="ID", help="Application (client) ID.")
@click.option("--username", metavar="ADDRESS", help="The user who signs in (user, personal).")
@click.option(
    "--address",
    metavar="ADDRESS",
    help="The primary address of that user's mailbox, if it is not the user name.",
)
@click.option(
    "--mailbox",
    "mailboxes",
    multiple=True,
    metavar="ADDRESS",
    help="A mailbox to send through, or *@DOMAIN. Repeatable.",
)
@click.option(
    "--client-secret-file",
    type=click.Path(path_type=Path),
    help="The file that holds the client secret's value.",
)
@click.option(
    "--client-secret-expires",
    metavar="DAY",
    help="The day that the portal shows, such as 2027-11-01.",
)
@click.option(
    "--certificate-file", type=click.Path(path_type=Path), help="The certificate, PEM or PFX."
)
@click.option(
    "--certificate-key-file",
    type=click.Path(path_type=Path),
    help="Its private key, if in a file of its own.",
)
@click.option(
    "--certificate-password-file",
    type=click.Path(path_type=Path),
    help="The password of the key, if it has one.",
)
@click.option(
    "--federated-token-file",
    type=click.Path(path_type=Path),
    help="The JWT of a workload identity.",
)
@click.option(
    "--large-messages/--no-large-messages",
    default=None,
    help="Send messages over about 3 MB (Mail.ReadWrite).",
)
@click.option(
    "--exact-once/--no-exact-once",
    default=None,
    help="Never send a message twice (Mail.ReadWrite).",
)
@click.option("--listener", metavar="ADDRESS", help="Where applications connect, as host:port.")
@click.option(
    "--allow-from",
    multiple=True,
    metavar="NETWORK",
    help="A network that may connect, such as 192.0.2.0/24. Repeatable.",
)
@click.option("--cloud", type=click.Choice(CLOUDS), help="The Microsoft cloud of the tenant.")
@click.option("--login-url", metavar="URL", help="The authority, with --cloud custom.")
@click.option("--graph-url", metavar="URL", help="The Graph endpoint, with --cloud custom.")
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path),
    help="Certificate authorities to trust instead of the system's.",
)
@click.option("--proxy", metavar="URL", help="The HTTP proxy for Entra and Graph.")
@click.option(
    "--state-directory",
    type=click.Path(path_type=Path),
    help="Where mail, the log and the vault are kept.",
)
@click.pass_obj
def command(config: Path, /, yes: bool, force: bool, **options: Any) -> None:
    """Create a configuration, and show how to register the application.

    Asks for what no option gives, and explains each question. Then it shows how to register the
    application in Entra ID with exactly the permissions that are needed, in the portal and with az.
    It writes the file of --config, checked, and readable by root and the service alone. Nothing is
    sent anywhere.

    \b
    Examples:
      graphrelay --config /etc/graphrelay/config.toml init
      graphrelay --config config.toml init --scenario user --username wp@contoso.com
    """
    from graphrelay.cli.questions import TerminalQuestions
    from graphrelay.guide import writing
    from graphrelay.guide.interview import interview

    try:
        writing.expect_place(config, force=force)
    except writing.NotWritten as error:
        raise CommandFailed(str(error)) from error
    questions = TerminalQuestions(config, options, silent=yes)
    questions.resume()
    setup, secret = interview(questions, _show_registration)
    try:
        written = writing.write(config, setup, secret, command=machine.program(config), force=force)
    except writing.NotValid as error:
        for key in error.keys:
            questions.forget(key)
        raise CommandFailed(str(error)) from error
    except writing.NotWritten as error:
        raise CommandFailed(str(error)) from error
    questions.finish()
    for path in written:
        click.secho(f"written: {path}", fg="green")
    if writing.service_cannot_read():
        files = " ".join(map(str, written))
        click.echo(
            f"Only root can read {files}, because the service's group {writing.GROUP} does not "
            "exist yet. Installing the Debian package gives them to the group; with any other "
            f"installation run: chgrp {writing.GROUP} {files} && chmod 640 {files}"
        )
    _show_what_is_next(config, setup)


def _show_registration(setup: "Setup") -> None:
    from graphrelay.guide import azure, portal

    click.secho("\nThe app registration, in the portal:\n", bold=True)
    for number, step in enumerate(portal.steps(setup), start=1):
        click.echo(f"  {number}. {step}")
    click.secho("\nor the same with az (one of the two is enough):\n", bold=True)
    for line in azure.commands(setup):
        click.echo(f"  {line}")
    click.echo()


def _show_what_is_next(config: Path, setup: "Setup") -> None:
    from graphrelay.guide.setup import NO_ID
    from graphrelay.oauth import initial_domain
    from graphrelay.oauth.scenario import ScopedUsers, SendAsUser, risk_of_any_user

    account, called = setup.account, machine.program(config)
    click.secho("\nNext:\n", bold=True)
    if NO_ID in (account.client_id, account.tenant):
        click.echo(f"  put the ids of the app registration into {config}")
    for missing in _missing_files(setup):
        click.echo(f"  put {missing}")
    if isinstance(account.scenario, ScopedUsers):
        click.echo(f"  {called} setup-scope {account.name}   # PowerShell for Exchange Online")
    click.echo(f"  {machine.start(config, at_boot=True)}")
    if account.username:
        device = "   # without a browser on this machine: --device"
        click.echo(f"  {called} authorize {account.name}{device}")
    click.echo(f"  {called} status {account.name} --probe you@example.com")
    if limit := initial_domain.warning(account):
        click.secho(f"Note: {limit}", fg="yellow")
    if risk := risk_of_any_user(account):
        click.secho(f"Note: {risk}", fg="yellow")
    if isinstance(account.scenario, SendAsUser) and account.scenario.shared:
        click.echo("The user needs Send As on the other mailboxes (Exchange admin center).")


def _missing_files(setup: "Setup") -> list[str]:
    from graphrelay.guide.setup import credential_of
    from graphrelay.oauth.scenario import Certificate, ClientSecret, FederatedToken, SecretFile

    match credential_of(setup.account):
        case ClientSecret(SecretFile(path)):
            wanted = {f"the secret's value into {path}": path}
        case Certificate(path, key_path):
            wanted = {f"the certificate into {path}": path}
            wanted |= {f"its private key into {key_path}": key_path} if key_path else {}
        case FederatedToken(path):
            wanted = {f"the federated token into {path}": path}
        case _:
            wanted = {}
    return [what for what, path in wanted.items() if not path.exists()]
