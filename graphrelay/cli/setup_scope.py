"""`graphrelay setup-scope ACCOUNT`."""

from pathlib import Path

import click

from graphrelay.cli.ask import Failed, checked


@click.command(name="setup-scope")
@click.argument("account", metavar="ACCOUNT")
@click.option(
    "--object-id",
    default="",
    metavar="ID",
    help="The ENTERPRISE application's object id (not the app registration's).",
)
@click.option(
    "--attribute",
    type=click.Choice([f"CustomAttribute{number}" for number in range(1, 16)]),
    default="CustomAttribute1",
    show_default=True,
    metavar="NAME",
    help="What marks the mailboxes of a whole domain (*@contoso.com).",
)
@click.option(
    "--group", default="", metavar="NAME", help="A group whose members are the scope instead."
)
@click.pass_obj
def command(config: Path, account: str, object_id: str, attribute: str, group: str) -> None:
    """Print the Exchange Online PowerShell that limits a scoped-users account to its mailboxes,
    filled in from the configuration.

    Nothing is changed here. Exchange takes 30 minutes to 2 hours to act on it.
    """
    from graphrelay.cli.guide.exchange import script
    from graphrelay.daemon.wiring import accounts
    from graphrelay.oauth.scenario import ScopedUsers, scenario_name

    settings, _ = checked(config)
    known = {one.name: one for one in accounts(settings)}
    if account not in known:
        raise Failed(f"no account is named {account!r}; there is {', '.join(known)}")
    found = known[account]
    if not isinstance(found.scenario, ScopedUsers):
        name = scenario_name(found.scenario)
        raise Failed(
            f"account {account} has scenario {name!r}; a scope in Exchange is for "
            '"scoped-users" alone and would limit nothing here'
        )
    for line in script(found, settings.cloud.name, object_id, attribute, group):
        click.echo(line)
