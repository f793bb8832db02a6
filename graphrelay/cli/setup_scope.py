"""`graphrelay setup-scope ACCOUNT`."""

from pathlib import Path

import click

from graphrelay.cli.ask import CommandFailed, checked
from graphrelay.cli.complete import accounts


@click.command(name="setup-scope")
@click.argument("account", metavar="ACCOUNT", shell_complete=accounts)
@click.option(
    "--object-id",
    default="",
    metavar="ID",
    help="The object id of the ENTERPRISE application (not of the app registration).",
)
@click.option(
    "--attribute",
    type=click.Choice([f"CustomAttribute{number}" for number in range(1, 16)]),
    default="CustomAttribute1",
    show_default=True,
    metavar="NAME",
    help="The attribute that marks the mailboxes of a whole domain (*@contoso.com).",
)
@click.option(
    "--group",
    default="",
    metavar="NAME",
    help="Use the members of this group as the scope instead.",
)
@click.pass_obj
def command(config: Path, account: str, object_id: str, attribute: str, group: str) -> None:
    """Print the PowerShell that limits an application to its mailboxes.

    For an account with scenario "scoped-users". The commands, for Exchange Online PowerShell, are
    filled in from the configuration; this command itself changes nothing. Exchange takes 30 minutes
    to 2 hours until the scope is in effect.

    \b
    Example:
      graphrelay setup-scope alerts --object-id 00000000-0000-0000-0000-000000000000
    """
    from graphrelay.daemon.wiring import accounts
    from graphrelay.guide.exchange import script
    from graphrelay.oauth.scenario import ScopedUsers, scenario_name

    settings, _ = checked(config)
    known = {one.name: one for one in accounts(settings)}
    if account not in known:
        raise CommandFailed(f"there is no account {account!r}, only {', '.join(known)}")
    found = known[account]
    if not isinstance(found.scenario, ScopedUsers):
        name = scenario_name(found.scenario)
        raise CommandFailed(
            f"account {account} has scenario {name!r}; a scope in Exchange limits only accounts "
            'with "scoped-users"'
        )
    for line in script(found, settings.cloud.name, object_id, attribute, group):
        click.echo(line)
