"""`graphrelay check-config`."""

from pathlib import Path

import click

from graphrelay.cli.ask import checked


@click.command(name="check-config")
@click.pass_obj
def command(config: Path) -> None:
    """Check the configuration.

    Each mistake is printed on a line of its own: where it is, what is wrong, what is allowed.
    Without mistakes, the accounts and listeners are listed. No relay needs to run.

    \b
    Example:
      graphrelay --config new.toml check-config

    Exit status: 0 if the configuration can be used, 78 if not.
    """
    settings, unseen = checked(config)
    click.echo(f"{config} is fine")
    for name in unseen:
        click.echo(
            f"  {name}: a systemd credential of the service; its value cannot be checked here"
        )
    for name, account in settings.accounts.items():
        mailboxes = ", ".join(account.mailboxes) or getattr(account, "username", "")
        click.echo(f"  account {name}: {account.scenario}, {mailboxes}")
    for listener in settings.smtp.listeners:
        networks = ", ".join(map(str, listener.allow_from))
        how = f"TLS {listener.tls}, login {listener.auth}, from {networks}"
        click.echo(f"  listener {listener.address}: {how}")
