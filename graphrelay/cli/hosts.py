"""`graphrelay hosts`."""

from pathlib import Path

import click

from graphrelay.cli import output
from graphrelay.cli.ask import carry_out
from graphrelay.cli.output import Output, json_option


@click.command(name="hosts")
@json_option
@click.pass_obj
def command(config: Path, as_json: bool) -> None:
    """List the relays that share the queue.

    For each relay: its version, since when it runs, how many lanes are leased to it and how many of
    these have mail, and whether it renews its lease. Without `[spool] url` the queue is one relay's
    alone, and the list is empty.
    """
    rows: list[Output] = []
    carry_out(config, "hosts", {}, output.print_json if as_json else rows.append)
    if as_json:
        return
    if not rows:
        click.echo("no relay shares the queue: [spool] url is not set, or none is running")
        return
    output.table(
        ["HOST", "VERSION", "SINCE", "LANES", "WITH MAIL", "STATE"],
        [
            [
                row["host"],
                row["version"],
                output.local_time(row["started_at"]),
                str(row["lanes"]),
                str(row["with_mail"]),
                _state(row),
            ]
            for row in rows
        ],
    )


def _state(row: Output) -> str:
    if row["expires_in"] < 0:
        return f"overdue for {-row['expires_in']:.0f} s"
    return "leaving" if row["leaving"] else "running"
