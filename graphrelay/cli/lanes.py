"""`graphrelay lanes`."""

from pathlib import Path

import click

from graphrelay.cli import output
from graphrelay.cli.ask import events
from graphrelay.cli.output import Event, json_option


@click.command(name="lanes")
@json_option
@click.pass_obj
def command(config: Path, as_json: bool) -> None:
    """Show each account and mailbox that has mail: its state, what is in flight, what waits."""
    rows: list[Event] = []
    events(config, "lanes", {}, output.print_json if as_json else rows.append)
    if as_json:
        return
    if not rows:
        click.echo("no lane has mail")
        return
    output.table(
        ["ACCOUNT", "MAILBOX", "WAITING", "IN FLIGHT", "STATE"],
        [
            [
                row["account"],
                row["mailbox"],
                str(row["waiting"]),
                f"{row['in_flight']} of {row['allowed']}",
                _state(row),
            ]
            for row in rows
        ],
    )


def _state(row: Event) -> str:
    if row["state"] == "open":
        return "open"
    until = f" until {output.local_time(row['until'])}" if row["until"] else ""
    remedy = f" {row['remedy']}" if row["remedy"] else ""
    return f"{row['state']}{until}: {row['reason']}{remedy}"
