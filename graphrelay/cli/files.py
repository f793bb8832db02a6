"""`graphrelay files`: what an installation needs besides the program.

The units, the example and the page of sendmail come as they are; graphrelay(1), graphrelay.toml(5)
and the completions are made from the commands and the example when they are asked for, so that
they say what this version does.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from graphrelay.cli.ask import CommandFailed

PROGRAM = "/opt/graphrelay/bin/graphrelay"
"""What the unit starts, as it is written."""

_PACKAGED = Path(__file__).parents[1] / "files"
_CHECKOUT = Path(__file__).parents[2]
_HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))
"""What ProtectHome=yes in the unit hides from the service."""


@click.command(name="files")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Made if it is not there; files of the same names are replaced.",
)
def command(target: Path) -> None:
    """Write the systemd units, man pages and completions of this version.

    They are written into a directory, with the example configuration, and can be installed from
    there. The unit starts the program that wrote it. The completions are for bash, zsh and fish.

    \b
    Example:
      graphrelay files --to /tmp/graphrelay
    """
    program = Path(sys.prefix) / "bin" / "graphrelay"
    try:
        for path, text in all_files(program):
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_text(text, "utf-8")
            click.echo(target / path)
    except OSError as error:
        raise CommandFailed(f"cannot write {error.filename}: {error.strerror}") from error
    if any(program.is_relative_to(folder) for folder in _HIDDEN):
        click.echo(
            f"graphrelay: the unit starts {program}, and a service sees nothing below "
            f"{program.parents[-2]}: for a service, install into /opt/graphrelay",
            err=True,
        )


def all_files(program: Path) -> Iterator[tuple[str, str]]:
    """Path and text of each; the unit starts `program`."""
    from graphrelay.cli import cli
    from graphrelay.cli.complete import script
    from graphrelay.cli.manual import commands_page, settings_page

    example = _text("config.example.toml", "config.example.toml")
    yield "config.example.toml", example
    unit = _text("systemd/graphrelay.service", "systemd/graphrelay.service")
    yield "systemd/graphrelay.service", unit.replace(PROGRAM, str(program))
    for name in ("graphrelay.socket", "sysusers.d/graphrelay.conf", "tmpfiles.d/graphrelay.conf"):
        yield f"systemd/{name}", _text(f"systemd/{name}", f"systemd/{name}")
    yield "man/man1/graphrelay.1", commands_page(cli)
    yield "man/man5/graphrelay.toml.5", settings_page(example)
    yield "man/man8/graphrelay-sendmail.8", _text("graphrelay-sendmail.8", "docs/sendmail.8")
    yield "completions/graphrelay.bash", script("bash", cli)
    yield "completions/_graphrelay", script("zsh", cli)
    yield "completions/graphrelay.fish", script("fish", cli)


def _text(packaged: str, in_checkout: str) -> str:
    """A wheel has them below graphrelay/files, a checkout where people look for them."""
    path = _PACKAGED / packaged
    return (path if path.exists() else _CHECKOUT / in_checkout).read_text("utf-8")
