"""`graphrelay sandbox`."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphrelay.cli import output
from graphrelay.cli.ask import CommandFailed

if TYPE_CHECKING:
    from graphrelay.sandbox.config import Scenario

MARK = "# Written by graphrelay sandbox, which replaces it at its next start.\n"


@click.command(name="sandbox")
@click.option(
    "--port",
    type=output.port,
    default=8443,
    show_default=True,
    metavar="PORT",
    help="Entra ID and Graph (HTTPS); 0: any free port.",
)
@click.option(
    "--page-port",
    type=output.port,
    default=8025,
    show_default=True,
    metavar="PORT",
    help="The mail reader; 0: any free port.",
)
@click.option(
    "--scenario",
    type=click.Choice(["user", "personal", "any-user", "scoped-users"]),
    default="any-user",
    show_default=True,
    help="For which the configuration is made, and the cloud prepared.",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sandbox"),
    show_default=True,
    help="Where ca.pem and a config.toml for a relay are written.",
)
@click.option(
    "--request-limit",
    type=click.IntRange(min=1),
    metavar="OCTETS",
    help="Graph's limit for the size of one request.",
)
@click.option(
    "--discard",
    is_flag=True,
    help="Keep sizes and hashes instead of message bodies, for load tests.",
)
def command(
    port: int,
    page_port: int,
    scenario: "Scenario",
    directory: Path,
    request_limit: int | None,
    discard: bool,
) -> None:
    """Run the sandbox cloud: Entra ID and Graph mail on loopback, until Ctrl-C.

    It behaves as Microsoft's services do, for trying the relay and for tests. It writes a
    configuration with which a relay uses it, and prints it. The users are wp, info, alice, bob and
    printer, all @contoso.com, and me@outlook.com, with the password "pass". Faults can be switched
    on at /api/faults of the mail reader's port (docs/sandbox.md).

    \b
    Examples:
      graphrelay sandbox --scenario user --directory sandbox
      graphrelay --config sandbox/config.toml authorize website
      graphrelay --config sandbox/config.toml serve
    """
    _prepare(directory)
    try:
        asyncio.run(_run(port, page_port, scenario, directory, request_limit, discard=discard))
    except OSError as error:
        raise CommandFailed(f"{error} (choose other ports with --port and --page-port)") from error


def _prepare(directory: Path) -> None:
    """Make the directory, unless it has a configuration that was written by hand."""
    config = directory / "config.toml"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        config.touch(0o600)
        written = config.read_text("utf-8", "replace")
        if written and not written.startswith(MARK):
            raise CommandFailed(
                f"{config} is not of a sandbox, and would be replaced; choose another --directory"
            )
    except OSError as error:
        raise CommandFailed(f"--directory: {error}") from error


async def _run(
    port: int,
    page_port: int,
    scenario: "Scenario",
    directory: Path,
    request_limit: int | None,
    *,
    discard: bool,
) -> None:
    from graphrelay.sandbox import Sandbox
    from graphrelay.sandbox.config import limit_to_scope, relay_config
    from graphrelay.sandbox.mailbox_settings import MailSettings

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    directory = directory.absolute()  # noqa: ASYNC240 (before anything is served)
    mail = MailSettings(keep_bodies=not discard)
    if request_limit:
        mail.request_limit = mail.message_limit = request_limit
    async with Sandbox(
        port=port, page_port=page_port, directory_path=directory, mail_settings=mail
    ) as cloud:
        config = directory / "config.toml"
        if scenario == "scoped-users":
            limit_to_scope(cloud.directory)
        text = MARK + relay_config(cloud, directory / "state", scenario=scenario)
        config.write_text(text, encoding="utf-8")
        click.echo(f"Entra ID and Graph  {cloud.graph_url}  (authority: {cloud.ca_file})")
        click.echo(f"Mail reader         {cloud.page_url}")
        click.echo(f"A relay for it      graphrelay --config {config} authorize website")
        click.echo(f"                    graphrelay --config {config} serve")
        click.echo(f"\n{config}:\n\n{text}")
        await stop.wait()
