"""`graphrelay sandbox`."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from graphrelay.cli.ask import Failed


@contextmanager
def sandbox_packages() -> Iterator[None]:
    """Turns a missing package into what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("graphrelay"):
            raise
        raise Failed(
            f"the sandbox needs {error.name}; install it with: pip install 'graphrelay[sandbox]'"
        ) from error


@click.command(name="sandbox")
@click.option("--port", default=8443, show_default=True, help="Entra ID and Graph, HTTPS; 0: any.")
@click.option("--page-port", default=8025, show_default=True, help="The mail reader; 0: any.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sandbox"),
    show_default=True,
    help="Where ca.pem and a config.toml for a relay are written.",
)
@click.option("--request-limit", type=int, metavar="OCTETS", help="Graph's limit for one request.")
@click.option(
    "--discard", is_flag=True, help="Keep no bodies of messages, for load tests: sizes and hashes."
)
def command(
    port: int, page_port: int, directory: Path, request_limit: int | None, discard: bool
) -> None:
    """Run the sandbox cloud alone: Entra ID and Graph mail on loopback, until Ctrl-C.

    Users wp, info, alice, bob and printer @contoso.com; every password is `pass`. Faults are set at
    /api/faults of the mail reader's port.
    """
    with sandbox_packages():
        import graphrelay.sandbox  # noqa: F401 (are its packages there?)
    try:
        asyncio.run(_run(port, page_port, directory, request_limit, discard=discard))
    except OSError as error:
        raise Failed(f"{error} (other ports: --port, --page-port)") from error


async def _run(
    port: int, page_port: int, directory: Path, request_limit: int | None, *, discard: bool
) -> None:
    from graphrelay.sandbox import Sandbox
    from graphrelay.sandbox.config import relay_config
    from graphrelay.sandbox.mailbox_settings import MailSettings

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    directory = directory.absolute()  # noqa: ASYNC240 (before anything is served)
    directory.mkdir(parents=True, exist_ok=True)
    mail = MailSettings(keep_bodies=not discard)
    if request_limit:
        mail.request_limit = mail.message_limit = request_limit
    async with Sandbox(
        port=port, page_port=page_port, directory_path=directory, mail_settings=mail
    ) as cloud:
        config = directory / "config.toml"
        config.write_text(relay_config(cloud, directory / "state", scenario="any-user"))
        click.echo(f"Entra ID and Graph  {cloud.graph_url}  (authority: {cloud.ca_file})")
        click.echo(f"Mail reader         {cloud.page_url}")
        click.echo(f"A relay for it      graphrelay --config {config} authorize website")
        click.echo(f"                    graphrelay --config {config} serve")
        await stop.wait()
