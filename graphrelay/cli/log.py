"""`graphrelay log`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from graphrelay.cli import output
from graphrelay.cli.ask import CommandFailed, carry_out
from graphrelay.cli.output import Output, json_option


class Moment(click.ParamType[datetime]):
    """`2026-11-23`, `2026-11-23T12:00`, or `1d`, `4h` ago."""

    name = "moment"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        from graphrelay.config.units import duration

        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        try:
            return datetime.now(UTC) - duration(value)
        except (ValueError, OverflowError):
            self.fail(f'{value!r} is neither a date such as 2026-11-23T12:00 nor "4h" or "1d" ago')


@click.command(name="log")
@click.option("--follow", "-f", is_flag=True, help="Keep running, and show events as they happen.")
@click.option("--since", type=Moment(), metavar="WHEN", help="Only events since then.")
@click.option("--until", type=Moment(), metavar="WHEN", help="Only events until then.")
@click.option(
    "--sender", metavar="ADDRESS", help="The envelope sender: an address, @domain, or <>."
)
@click.option("--recipient", metavar="ADDRESS", help="One of the recipients.")
@click.option("--id", "queue_id", metavar="ID", help="The id that the client saw in the 250 reply.")
@click.option(
    "--outcome",
    type=click.Choice(
        [
            "relayed",
            "delayed",
            "failed",
            "uncertain",
            "paused",
            "held",
            "released",
            "retried",
            "divided",
            "moved",
            "deleted",
            "bounced",
            "resent",
        ]
    ),
    help="Only events of this kind.",
)
@click.option(
    "--client", metavar="IP", help="The client's address; with its last failed SMTP session."
)
@click.option(
    "--refused",
    is_flag=True,
    help="Instead: what clients were refused before there was a message.",
)
@click.option(
    "--limit",
    default=100,
    type=output.rows,
    show_default=True,
    metavar="N",
    help="At most the latest N events.",
)
@json_option
@click.pass_obj
def command(config: Path, /, as_json: bool, refused: bool, **wanted: Any) -> None:
    """Show what happened to messages.

    One line for each event: when, which message, what happened, sender and recipients, and the
    reason, with Microsoft's error code. The log is kept for log.keep (90 days by default).

    With --refused: which clients were refused what, and why, with the reply that they got. The same
    within an hour is one line, with the number of times. The latest 10,000 are kept, for log.keep.

    Times are dates such as 2026-11-23 or 2026-11-23T12:00, or how long ago: 4h, 1d.

    \b
    Examples:
      graphrelay log --follow
      graphrelay log --outcome failed --since 1d
      graphrelay log --recipient alice@example.org --json
      graphrelay log --client 192.0.2.7
      graphrelay log --refused --since 1h
    """
    if refused and (wanted["queue_id"] or wanted["outcome"]):
        raise click.UsageError("--refused lists what never became a message: no --id or --outcome")
    arguments = {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in wanted.items()
    }
    verb, show = ("log-refused", _print_refused) if refused else ("log", _print)
    carry_out(config, verb, arguments, output.print_json if as_json else show)
    if wanted["client"]:
        _show_transcript(config, wanted["client"], as_json)


def _show_transcript(config: Path, client: str, as_json: bool) -> None:
    found: list[Output] = []
    try:
        carry_out(config, "transcript", {"client": client}, found.append)
    except CommandFailed as error:  # unlike the mail log, transcripts need a running relay
        click.echo(f"no transcript: {error.message}", err=True)
        return
    if not found:
        hint = f'to keep transcripts, add "{client}" to smtp.transcripts'
        click.echo(f"no transcript of a failed session with {client}; {hint}", err=True)
    for event in found:
        if as_json:
            output.print_json(event)
            continue
        where = f"with {event['client']} on {event['listener']}"
        click.echo(f"\nlast failed session {where}, {output.local_time(event['at'])}:")
        for line in event["lines"]:
            click.echo(f"    {line}")


def _print(row: Output) -> None:
    words = [
        output.local_time(row["at"]),
        row["queue_id"],
        click.style(row["outcome"], fg=_COLOURS.get(row["outcome"])),
        f"{row['sender']} → {output.people(row['recipients'])}",
        output.size(row["size"]),
    ]
    words += [f'"{row["subject"]}"'] if row["subject"] else []
    words += [row["reason"]] if row["reason"] else []
    words += [f"[{row['code']}]"] if row.get("code") else []
    click.echo("  ".join(words))


def _print_refused(row: Output) -> None:
    times = f"{row['times']} times since {output.local_time(row['since'])}"
    who = f"{row['client']} ({row['login']})" if row["login"] else row["client"]
    mail = f"{row['sender']} → {row['recipient']}" if row["recipient"] else row["sender"]
    words = [
        *(output.local_time(row["at"]), who, click.style(f"refused at {row['stage']}", fg="red")),
        *(mail, row["reply"], row["reason"], f"[{times}]" if row["times"] > 1 else ""),
    ]
    click.echo("  ".join(word for word in words if word))


_COLOURS = {"relayed": "green", "delayed": "yellow", "uncertain": "yellow", "failed": "red"}
