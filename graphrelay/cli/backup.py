"""`graphrelay backup`."""

import contextlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

import click

from graphrelay.cli import machine, output
from graphrelay.cli.ask import CommandFailed, acting_as_owner, own_state_directory
from graphrelay.files import sync_directory

INSTEAD = (
    "Back it up with: pg_dump --format=custom --schema=graphrelay --file=FILE URL   (the URL of"
    " [spool]); and keep a copy of the vault's key"
)


@click.command(name="backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--with-key",
    is_flag=True,
    help="Include the vault's key file: whoever can read the backup can then send as you.",
)
@click.pass_obj
def command(config: Path, file: Path, with_key: bool) -> None:
    """Write queue, mail log and authorizations to FILE, a tar file, while the relay runs.

    It delays no mail. FILE appears when it is complete and has been verified; a file of that name
    is replaced. It contains mail, so only you can read it. The authorizations are encrypted, and
    the key is omitted unless you ask for it: without the key, accounts have to be authorized again
    after a restore. The configuration is not included.

    \b
    Examples:
      sudo graphrelay backup /var/backups/graphrelay.tar
      sudo graphrelay restore /var/backups/graphrelay.tar
    """
    from graphrelay.control.verb import VerbError
    from graphrelay.daemon.archive import BadArchive, Contents, back_up, verify
    from graphrelay.model import StorageUnavailable

    directory = own_state_directory(config, INSTEAD)
    with contextlib.suppress(PermissionError):  # an unknown user is reported below
        if not (directory / "spool.db").exists():
            raise CommandFailed(f"{directory} has no queue: there is nothing to back up")

    def written(draft: Path) -> Contents:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w+b") as out:
            with acting_as_owner(directory, "backup", machine.start(config)):
                made = back_up(directory, out, datetime.now(UTC), with_key=with_key)
            out.flush()
            os.fsync(descriptor)
            out.seek(0)
            if verify(out) != made:
                raise BadArchive("it does not read as it was written")
        return made

    if file.exists() and not file.is_file():
        raise CommandFailed(f"no backup was made: {file} is a device or a pipe, not a file")
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        try:
            made = written(draft)
            draft.rename(file)
        finally:
            draft.unlink(missing_ok=True)
        sync_directory(file.parent)
    except OSError as error:
        reason = f"{error.filename or file}: {error.strerror}"
        raise CommandFailed(f"no backup was made: {reason}") from error
    except (BadArchive, StorageUnavailable, VerbError) as error:
        raise CommandFailed(f"no backup was made: {error}") from error
    click.echo(f"{file}: {made.files} files, {output.size(made.octets)}, verified")
    if not made.has_key:
        click.echo("without the vault's key: keep it elsewhere, or authorize again after a restore")
