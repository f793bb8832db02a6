"""`graphrelay lanes`."""

from pathlib import Path

import click

from graphrelay.cli import output
from graphrelay.cli.ask import carry_out
from graphrelay.cli.output import Output, json_option


@click.command(name="lanes")
@json_option
@click.pass_obj
def command(config: Path, as_json: bool) -> None:
    """Show the state of each account and mailbox.

    A lane is one account and one mailbox; Exchange's limits hold for each lane. Shown are those
    with mail: how many messages are waiting and since when, how many are in flight, whether the
    lane is open or paused and why, how much of its budgets is used, and whether Graph refused a
    large MIME request within a day. Where several relays share the queue, HOST is the one that
    sends from the lane, unless it is the one that was asked; what it says may be some seconds old.
    Needs a running relay.
    """
    rows: list[Output] = []
    carry_out(config, "lanes", {}, output.print_json if as_json else rows.append)
    if as_json:
        return
    if not rows:
        click.echo("no lane has mail")
        return
    shared = any(row["host"] for row in rows)
    host = ["HOST"] if shared else []
    output.table(
        ["ACCOUNT", "MAILBOX", *host, "WAITING", "SINCE", "IN FLIGHT", "STATE"],
        [
            [
                row["account"],
                row["mailbox"],
                *([row["host"]] if shared else []),
                str(row["waiting"]),
                output.local_time(row["oldest"]) if row["oldest"] else "",
                f"{row['in_flight']} of {row['allowed']}",
                _state(row),
            ]
            for row in rows
        ],
    )
    for row in rows:
        for budget in row["budgets"]:
            click.echo(f"{row['account']}/{row['mailbox']}: {_budget(budget)}")
        if limit := row["mime_limit"]:
            until = output.local_time(limit["until"])
            click.echo(
                f"{row['account']}/{row['mailbox']}: Graph refused a larger MIME request, so that "
                f"at most {limit['octets']:,} octets are tried until {until}"
            )


def _budget(budget: Output) -> str:
    used = f"{budget['used']:,} of {budget['most']:,} {budget['what']} in {_time(budget['window'])}"
    match budget["exhausted_in"]:
        case None:
            return used
        case 0:
            return f"{used}: used up"
        case seconds:
            return f"{used}: at this pace used up in {_time(seconds)}"


def _time(seconds: int) -> str:
    """In the largest unit of which there are two or more."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _state(row: Output) -> str:
    if row["state"] == "open":
        return "open"
    until = f" until {output.local_time(row['until'])}" if row["until"] else ""
    remedy = f" {row['remedy']}" if row["remedy"] else ""
    return f"{row['state']}{until}: {row['reason']}{remedy}"
