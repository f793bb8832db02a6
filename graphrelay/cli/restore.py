"""`graphrelay restore`."""

from pathlib import Path

import click

from graphrelay.cli import machine
from graphrelay.cli.ask import CommandFailed, become_owner, own_state_directory

INSTEAD = (
    "Stop every relay, and restore it with: pg_restore --clean --if-exists --exit-on-error"
    " --dbname=URL FILE"
)


@click.command(name="restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="Move the present state aside, to replaced-TIME.")
@click.option(
    "--send",
    is_flag=True,
    help="Send messages that were queued at the backup, although they may have been sent since.",
)
@click.pass_obj
def command(config: Path, file: Path, replace: bool, send: bool) -> None:
    """Restore the queue, the mail log and the authorizations from the backup FILE.

    The relay must not be running. FILE is read and verified completely before anything is changed.
    Messages that were queued when the backup was made are held, since they may have been sent after
    that: check them with `graphrelay queue list`, then release or delete them.
    """
    from graphrelay.clock import SystemClock
    from graphrelay.control.verb import VerbError
    from graphrelay.daemon.archive import BadArchive, CannotRestore, restore
    from graphrelay.model import StorageUnavailable
    from graphrelay.spool.errors import SpoolInUse, SpoolTooNew

    directory = own_state_directory(config, INSTEAD)
    try:
        with file.open("rb") as archive:
            become_owner(directory, "restore", machine.start(config))
            held = restore(archive, directory, SystemClock(), replace=replace, hold=not send)
    except BadArchive as error:
        raise CommandFailed(f"{file}: {error}. Nothing was changed") from error
    except SpoolInUse as error:
        raise CommandFailed(f"{error} Stop the relay first") from error
    except (CannotRestore, OSError, SpoolTooNew, StorageUnavailable, VerbError) as error:
        raise CommandFailed(str(error)) from error
    click.echo(f"{directory} is as it was when {file} was made")
    if held:
        click.echo(
            f"{held} message{' is' if held == 1 else 's are'} held, since they may have been sent: "
            "graphrelay queue list --state held"
        )
    vault, key = directory / "vault", directory / "vault.key"
    if vault.exists() and not key.exists():
        click.echo(
            "The vault's key is not in the backup. Unless systemd gives it to the relay, put it "
            f"back as {key}, or remove {vault} and authorize again."
        )
    click.echo(f"Start the relay: {machine.start(config)}")
