"""`graphrelay init`: from a few questions to a configuration that works.

    options, questions ──▶ Setup ──▶ steps and commands, shown ──▶ ids ──▶ config.toml

The steps are shown before the ids are asked for, because it is they that bring the ids forth. The
file is checked as `check-config` does before it takes its name, so a bad one never stands there.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphrelay.cli.ask import Failed

if TYPE_CHECKING:
    from graphrelay.cli.guide.setup import Setup

SCENARIOS = ("user", "personal", "any-user", "scoped-users")
CREDENTIALS = ("certificate", "secret", "managed-identity", "federated")
CLOUDS = ("global", "us-gov-high", "us-gov-dod", "china", "custom")


@click.command(name="init")
@click.option("--yes", is_flag=True, help="Ask nothing; what no option says has its default.")
@click.option("--force", is_flag=True, help="Overwrite a configuration that is there.")
@click.option("--scenario", type=click.Choice(SCENARIOS), help="How the account may send.")
@click.option("--credential", type=click.Choice(CREDENTIALS), help="any-user, scoped-users.")
@click.option("--account", metavar="NAME", help="A name of your own for the account.")
@click.option("--tenant", metavar="ID", help="Directory (tenant) ID or a verified domain.")
@click.option("--client-id", metavar="ID", help="Application (client) ID.")
@click.option("--username", metavar="ADDRESS", help="Who signs in (user, personal).")
@click.option("--mailbox", "mailboxes", multiple=True, metavar="ADDRESS", help="Or *@DOMAIN.")
@click.option("--client-secret-file", type=click.Path(path_type=Path), help="The secret's value.")
@click.option("--client-secret-expires", metavar="DAY", help="As the portal shows it: 2027-11-01.")
@click.option("--certificate-file", type=click.Path(path_type=Path), help="PEM or PFX.")
@click.option("--certificate-key-file", type=click.Path(path_type=Path), help="If not in it.")
@click.option("--certificate-password-file", type=click.Path(path_type=Path), help="If it has one.")
@click.option("--federated-token-file", type=click.Path(path_type=Path), help="A JWT.")
@click.option("--large-messages/--no-large-messages", default=None, help="Over about 3 MB.")
@click.option("--exact-once/--no-exact-once", default=None, help="Never a message twice.")
@click.option("--listener", metavar="ADDRESS", help="Where applications send to, host:port.")
@click.option("--allow-from", multiple=True, metavar="NETWORK", help="Who may connect.")
@click.option("--cloud", type=click.Choice(CLOUDS), help="Where the tenant lives.")
@click.option("--login-url", metavar="URL", help="With --cloud custom.")
@click.option("--graph-url", metavar="URL", help="With --cloud custom.")
@click.option(
    "--ca-file", type=click.Path(path_type=Path), help="Trusted in place of the system's."
)
@click.option("--proxy", metavar="URL", help="For Entra and Graph alike.")
@click.option("--state-directory", type=click.Path(path_type=Path), help="Mail, log and vault.")
@click.pass_obj
def command(config: Path, /, yes: bool, force: bool, **options: Any) -> None:
    """Make a configuration: asks what is needed, explains it, and shows how to register the
    application for exactly this, in the portal and with az.

    Writes FILE of --config, which check-config then passes. Nothing is sent anywhere.
    """
    from graphrelay.cli.guide import writing
    from graphrelay.cli.guide.interview import interview
    from graphrelay.cli.guide.questions import Questions

    if config.exists() and not force:
        raise Failed(f"{config} is there already. Look at it, or overwrite it with --force")
    questions = Questions(config, options, silent=yes)
    setup, secret = interview(questions, _show_registration)
    for path in writing.write(config, setup, secret, command=_called(config), force=force):
        click.secho(f"written: {path}", fg="green")
    _show_what_is_next(config, setup)


def _show_registration(setup: "Setup") -> None:
    from graphrelay.cli.guide import azure, portal

    click.secho("\nThe app registration, in the portal:\n", bold=True)
    for number, step in enumerate(portal.steps(setup), start=1):
        click.echo(f"  {number}. {step}")
    click.secho("\nor the same with az (one of the two is enough):\n", bold=True)
    for line in azure.commands(setup):
        click.echo(f"  {line}")
    click.echo()


def _show_what_is_next(config: Path, setup: "Setup") -> None:
    from graphrelay.cli.guide.setup import NO_ID
    from graphrelay.oauth.scenario import ScopedUsers, SendAsUser

    account, called = setup.account, _called(config)
    click.secho("\nNext:\n", bold=True)
    if NO_ID in (account.client_id, account.tenant):
        click.echo(f"  put the ids of the app registration into {config}")
    for missing in _missing_files(setup):
        click.echo(f"  put {missing}")
    if isinstance(account.scenario, ScopedUsers):
        click.echo(f"  {called} setup-scope {account.name}   # PowerShell for Exchange Online")
    click.echo(f"  {called} serve   # or: systemctl enable --now graphrelay")
    device = "   # without a browser on this machine: --device" if account.username else ""
    click.echo(f"  {called} authorize {account.name}{device}")
    click.echo(f"  {called} status {account.name} --probe you@example.com")
    if isinstance(account.scenario, SendAsUser) and account.scenario.shared:
        click.echo("The user needs Send As on the other mailboxes (Exchange admin center).")


def _missing_files(setup: "Setup") -> list[str]:
    from graphrelay.cli.guide.setup import credential_of
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


def _called(config: Path) -> str:
    """How the program is called for this file."""
    import shlex

    usual = config == Path("/etc/graphrelay/config.toml")
    return "graphrelay" if usual else f"graphrelay --config {shlex.quote(str(config))}"
