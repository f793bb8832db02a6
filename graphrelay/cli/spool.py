"""`graphrelay spool …`."""

import asyncio
from pathlib import Path

import click

from graphrelay.cli.ask import CommandFailed, settings_from


@click.group(name="spool")
def command() -> None:
    """Prepare the queue that several relays share."""


@command.command()
@click.pass_obj
def init(config: Path) -> None:
    """Create or update the tables in the database of [spool] url.

    A relay does so itself when it starts, if its role may. Run this as a role that may create a
    schema where the relay's own role may not; run it again after an update.

    \b
    Example:
      GRAPHRELAY_SPOOL__URL=postgresql://owner@db/mail graphrelay spool init
    """
    from graphrelay.daemon import wiring
    from graphrelay.model import StorageUnavailable
    from graphrelay.spool.errors import SpoolTooNew
    from graphrelay.spool.url import SpoolUrlUnusable, described

    shared = wiring.shared_spool(settings_from(config).spool)
    if shared is None:
        raise CommandFailed("[spool] url is not set: the queue is in the state directory")
    try:
        url = shared.read_url()
    except (OSError, SpoolUrlUnusable) as error:
        raise CommandFailed(str(error)) from error
    from graphrelay.spool.postgres.schema import prepare

    try:
        prepared = asyncio.run(prepare(url))
    except (StorageUnavailable, SpoolTooNew) as error:
        raise CommandFailed(str(error)) from error
    before, after = prepared.before, prepared.after
    done = "is up to date" if before == after else f"was {before or 'new'}"
    click.echo(f"{described(url)}: schema version {after} ({done})")
    click.echo(f"PostgreSQL {prepared.server}, synchronous_commit = {prepared.synchronous_commit}")
    if prepared.too_weak:
        click.secho(
            "  a commit that does not wait for the disk could lose accepted mail; "
            'the relay sets it to "on" in its own sessions',
            fg="yellow",
            err=True,
        )
