"""`graphrelay check-config`."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphrelay.cli.ask import BAD_CONFIG, checked

if TYPE_CHECKING:
    from graphrelay.config.settings import AnyAccountTable, RouteTable, Settings
    from graphrelay.file_access import FileUser


@click.command(name="check-config")
@click.option("--strict", is_flag=True, help="Exit with 78 if there are warnings, too.")
@click.pass_obj
def command(config: Path, strict: bool) -> None:
    """Check the configuration.

    Each mistake is printed on a line of its own: where it is, what is wrong, what is allowed.
    Without mistakes, the accounts and listeners are listed, with warnings about anything doubtful:
    ids that are placeholders, files that the service may not read, rules that nothing can match.
    For root, files are checked with the permissions of the service's user. The relay need not be
    running.

    \b
    Example:
      graphrelay --config new.toml check-config

    Exit status: 0 if the configuration can be used, 78 if not.
    """
    from graphrelay.config import warnings
    from graphrelay.daemon import wiring
    from graphrelay.oauth.scenario import risk_of_any_user

    settings, unseen = checked(config)
    doubts = warnings(config, settings, _service_user(settings), datetime.now(UTC).date())
    for doubt in doubts:
        click.secho(f"{config}: warning: {doubt}", fg="yellow", err=True)
    click.echo(f"{config} can be used" if doubts else f"{config} is fine")
    for name in unseen:
        click.echo(
            f"  {name}: a systemd credential of the service; its value cannot be checked here"
        )
    risks = {account.name: risk_of_any_user(account) for account in wiring.accounts(settings)}
    click.echo(f"  spool: {_spool(settings)}")
    for name, account in settings.accounts.items():
        own = getattr(account, "address", None) or getattr(account, "username", "")
        mailboxes = ", ".join(account.mailboxes) or own
        click.echo(f"  account {name}: {account.scenario}, {mailboxes}")
        click.echo(f"    {_large(account, settings)}")
        if risk := risks[name]:
            click.echo(f"    risk: {risk}")
    for number, route in enumerate(settings.routes):
        click.echo(f"  route {route.name or f'routes[{number}]'}: {_content(route, settings)}")
    for listener in settings.smtp.listeners:
        networks = ", ".join(map(str, listener.allow_from))
        how = f"TLS {listener.tls}, login {listener.auth}, from {networks}"
        click.echo(f"  listener {listener.address}: {how}")
    if doubts and strict:
        sys.exit(BAD_CONFIG)


def _spool(settings: "Settings") -> str:
    if settings.spool.url is not None:
        from graphrelay.spool.url import described

        return described(settings.spool.url.get_secret_value())
    if settings.spool.url_file is not None:
        return f"PostgreSQL, by the URL in {settings.spool.url_file}"
    return "in the state directory"


def _large(account: "AnyAccountTable", settings: "Settings") -> str:
    """What happens to messages above the documented size limit of one request."""
    from graphrelay.graph.base64stream import REQUEST

    given, most = settings.delivery.max_mime_request, settings.smtp.max_message_size
    request = f"{(given or REQUEST) / 1_000_000:.3g} MB"
    if not account.large_messages:
        return f"messages over {request} (in base64) are refused: large_messages is off"
    if given is not None:
        return f"messages over {request} (in base64) go by draft and upload session"
    return (
        f"messages over {request} (in base64), up to {most / 1_000_000:.3g} MB, are tried as MIME, "
        "and go by draft and upload session where Graph refuses that"
    )


def _content(route: "RouteTable", settings: "Settings") -> str:
    """The form in which mail is submitted, and what that means for large messages and
    invitations."""
    if route.content == "mime" and route.save_to_sent_items:
        if not settings.accounts[route.account].large_messages:
            return "MIME"
        if route.redirect_to:
            return "MIME; where that is too large, JSON"
        return (
            "MIME; where that is too large, the texts as MIME and the files by upload, or JSON if "
            "Exchange loses anything by it or the files are not larger than the texts"
        )
    kept = "a copy" if route.save_to_sent_items else "no copy"
    if route.invitations == "mime":
        invited = 'but invitations go as MIME, and leave a copy (invitations = "mime")'
    else:
        invited = "and an invitation becomes a file, no meeting request, unless "
        invited += 'invitations = "mime" lets it go as MIME, which leaves a copy'
    return f"taken apart to JSON, {kept} in Sent Items, {invited}"


def _service_user(settings: "Settings") -> "FileUser":
    """Who runs the relay: for root the owner of its state directory, else the user of the unit."""
    from graphrelay.daemon.wiring import state_directory
    from graphrelay.file_access import FileUser

    ours = FileUser.this_process()
    if os.geteuid() != 0:
        return ours
    try:
        return FileUser.of(state_directory(settings).stat().st_uid)
    except OSError:
        pass
    try:
        return FileUser.named("graphrelay")
    except KeyError:
        return ours
