"""`graphrelay spool …`."""

import asyncio
import sys
import time
from pathlib import Path

import click

from graphrelay.cli import machine, output
from graphrelay.cli.ask import CommandFailed, become_owner, settings_from
from graphrelay.cli.output import json_option


@click.group(name="spool")
def command() -> None:
    """Prepare the queue that several relays share, or copy it."""


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


SQLITE = "sqlite"
_SAY_EVERY = 5.0
"""Seconds between two lines of progress where there is no terminal."""


@command.command()
@click.option(
    "--to",
    metavar="URL",
    help='"postgresql://…", or "sqlite" for the state directory.',
)
@click.option(
    "--to-file",
    "url_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file with the URL, such as that of [spool] url_file.",
)
@json_option
@click.pass_obj
def copy(config: Path, to: str | None, url_file: Path | None, as_json: bool) -> None:
    """Copy queue, mail log and authorizations to another engine.

    From SQLite to PostgreSQL, or back. The source is what the configuration names. No relay may run
    on either side. If the copy is interrupted, run it again: it continues. At the end every row and
    every message is compared, and the copy becomes the queue of the target if all are the same. The
    source is kept where no relay sends from it. Then change [spool] url.

    Authorizations are copied if they are in the vault's files ("file" in [vault]), encrypted as
    they are: the vault's key is not copied.

    Everybody on the machine can read a password in --to. Keep it in the file of --to-file, in a
    passfile (~/.pgpass), or in a service: --to "postgresql:///?service=NAME".

    \b
    Examples:
      sudo graphrelay spool copy --to postgresql://graphrelay@db/graphrelay
      sudo graphrelay spool copy --to-file /etc/graphrelay/spool.url
      sudo graphrelay spool copy --to sqlite
    """
    from graphrelay.control.verb import VerbError
    from graphrelay.daemon import wiring
    from graphrelay.daemon.spool_copy import copy_spool
    from graphrelay.model import StorageUnavailable
    from graphrelay.spool.copying import CannotCopy, NotTheSame
    from graphrelay.spool.errors import SpoolInUse, SpoolTooNew
    from graphrelay.spool.url import SpoolUrlUnusable, described

    target = _target(to, url_file)
    settings = settings_from(config)
    values, shared = wiring.wired(settings), wiring.shared_spool(settings.spool)
    if target == SQLITE and shared is None:
        raise CommandFailed("[spool] url is not set: the queue is in the state directory already")
    if target != SQLITE and shared is not None:
        raise CommandFailed(
            "the queue is in PostgreSQL already; use pg_dump to take it to another server"
        )
    directory = values.state_directory
    try:
        url = target if shared is None else shared.read_url()
        become_owner(directory, "spool copy", machine.start(config))
        copied = copy_spool(directory, url, _Progress(), back=shared is not None)
    except SpoolInUse as error:
        raise CommandFailed(f"nothing was changed: {error} Stop the relay first") from error
    except CannotCopy as error:
        raise CommandFailed(f"nothing was changed: {error}") from error
    except NotTheSame as error:
        raise CommandFailed(f"the copy is not used, since it differs: {error}") from error
    except (OSError, SpoolTooNew, SpoolUrlUnusable, StorageUnavailable, VerbError) as error:
        raise CommandFailed(f"the copy is not complete: {error}") from error
    if as_json:
        for one in copied.tables:
            row = {"table": one.table, "rows": one.rows, "octets": one.octets}
            output.print_json(row | {"sha256": one.digest})
        return
    output.table(
        ["TABLE", "ROWS", "SHA-256, THE SAME ON BOTH SIDES"],
        [[one.table, f"{one.rows:,}", one.digest] for one in copied.tables],
    )
    octets = sum(one.octets for one in copied.tables)
    here = str(directory) if shared else described(url)
    click.echo(
        f"{here} {'had' if copied.before else 'has'} all of it, with {output.size(octets)} of mail"
    )
    click.echo(f"the source is kept in {copied.aside}, where no relay looks for it")
    if shared:
        click.echo(f"Now remove url from [spool] in {config}, and start one relay")
    else:
        click.echo(f"Now set url in [spool] in {config}, and start the relays")


def _target(to: str | None, url_file: Path | None) -> str:
    """A URL that can be used, or `SQLITE`."""
    from graphrelay.spool.url import SpoolUrlUnusable, has_password, mistake_in_url, url_in

    if url_file is not None and to is None:
        try:
            return url_in(url_file)
        except (OSError, SpoolUrlUnusable) as error:
            raise CommandFailed(str(error)) from error
    if to is None or url_file is not None:
        raise click.UsageError("exactly one is needed of --to, --to-file")
    if to != SQLITE:
        if text := mistake_in_url(to):
            raise CommandFailed(f"--to {text}")
        if has_password(to):
            click.secho(
                "warning: everybody on this machine can read the password in --to while this runs,"
                " and the shell may keep it; use --to-file or a passfile",
                fg="yellow",
                err=True,
            )
    return to


class _Progress:
    """On a terminal one line that changes, else a line every few seconds."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._said = time.monotonic()

    def __call__(self, doing: str, table: str, done: int, total: int) -> None:
        now = time.monotonic()
        if self._terminal:
            end = "\n" if done == total else ""
            click.echo(f"\r{table}: {done:,} of {total:,} {doing}{end}", err=True, nl=False)
        elif done == total or now - self._said > _SAY_EVERY:
            self._said = now
            click.echo(f"{table}: {done:,} of {total:,} {doing}", err=True)
