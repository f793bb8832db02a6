"""`graphrelay queue …`."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from graphrelay.cli import output
from graphrelay.cli.ask import Failed, events
from graphrelay.cli.log import Moment
from graphrelay.cli.output import Event, json_option


@click.group(name="queue")
def command() -> None:
    """See what waits, and do something about it. IDs are those that clients saw in the 250."""


_FILTERS = (
    click.option("--account", metavar="NAME", help="Only what waits for this account."),
    click.option("--mailbox", metavar="ADDRESS", help="Only what goes through this mailbox."),
    click.option("--route", metavar="NAME", help="Only what took this route, such as routes[0]."),
    click.option("--sender", metavar="ADDRESS", help="Envelope sender: an address, @domain, <>."),
    click.option("--recipient", metavar="ADDRESS", help="One of the recipients."),
    click.option(
        "--older-than",
        "received_before",
        type=Moment(),
        metavar="TIME",
        help='Only what has waited for longer, such as "2h", or since before a date.',
    ),
)


def _filtered(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_FILTERS):
        function = option(function)
    return function


@command.command(name="list")
@click.option("--state", type=click.Choice(["queued", "held"]), help="Only what is in this state.")
@_filtered
@click.option(
    "--limit", default=1000, type=output.rows, show_default=True, metavar="N", help="Rows at most."
)
@json_option
@click.pass_obj
def list_(config: Path, /, as_json: bool, **wanted: Any) -> None:
    """List what waits, oldest first."""
    rows: list[Event] = []
    events(config, "queue-list", _sendable(wanted), output.print_json if as_json else rows.append)
    if as_json:
        return
    if not rows:
        click.echo("nothing waits")
        return
    output.table(
        ["ID", "RECEIVED", "SENDER", "RECIPIENTS", "SIZE", "TRIES", "STATE"],
        [
            [
                row["queue_id"],
                output.local_time(row["received_at"]),
                row["sender"],
                output.people(row["recipients"]),
                output.size(row["size"]),
                str(row["attempts"]),
                _state(row),
            ]
            for row in rows
        ],
    )


def _sendable(wanted: dict[str, Any]) -> dict[str, Any]:
    """As it goes to the daemon."""
    given = {key: value for key, value in wanted.items() if value is not None}
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in given.items()
    }


def _state(row: Event) -> str:
    match row["state"]:
        case "queued":
            state = f"next try {output.local_time(row['not_before'])}"
        case "held":
            state = f"held: {row['reason']}"
        case other:
            state = str(other)
    return f"{state} ({row['last']})" if row.get("last") else state


@command.command()
@click.argument("queue_id", metavar="ID")
@json_option
@click.pass_obj
def show(config: Path, queue_id: str, as_json: bool) -> None:
    """Show all that is known of a message: its plan, every attempt, what Microsoft said."""
    events(
        config,
        "queue-show",
        {"queue_id": queue_id},
        output.print_json if as_json else _print_message,
    )


def _print_message(message: Event) -> None:
    for label, key in _MESSAGE:
        if message.get(key):
            click.echo(f"{label:<12}{message[key]}")
    click.echo(f"{'received':<12}{output.local_time(message['received_at'])}")
    click.echo(f"{'size':<12}{output.size(message['size'])}")
    for part in message["parts"]:
        click.echo()
        click.secho(f"{part['queue_id']}  {_state(part)}", bold=True)
        click.echo(f"  to        {', '.join(part['recipients'])}")
        click.echo(
            f"  through   account {part['account']}, mailbox {part['mailbox']}, "
            f"route {part['route']}"
        )
        if part["from_address"]:
            click.echo(f"  From      becomes {part['from_address']}")
        if draft := part.get("draft"):
            click.echo(f"  in Drafts {_progress(draft)}")
            _print_lost(draft)
        for event in part["history"]:
            click.echo(f"  {output.local_time(event['at'])}  {_happened(event)}")
            _print_lost(event)


def _progress(draft: Event) -> str:
    if not draft["attachments"]:
        return "whole, to be sent"
    words = f"{draft['attached']} of {draft['attachments']} attachments"
    next_one = f", {output.size(draft['uploaded'])} of the next" if draft["uploaded"] else ""
    return words + next_one


def _print_lost(event: Event) -> None:
    """What the way that a message took could not keep."""
    for what in event.get("lost") or ():
        click.echo(f"            lost: {what}")


_MESSAGE = (
    ("id", "queue_id"),
    ("sender", "sender"),
    ("subject", "subject"),
    ("Message-ID", "message_id"),
    ("client", "client"),
    ("listener", "listener"),
    ("login", "login"),
    ("TLS", "tls"),
)


def _happened(event: Event) -> str:
    words = [f"attempt {event['attempt']}:" if event.get("attempt") else "", event["outcome"]]
    words += [event.get("status") or "", event["reason"]]
    words += [f"[{event['code']}]" if event.get("code") else ""]
    words += [f"request-id {event['request_id']}" if event.get("request_id") else ""]
    return " ".join(word for word in words if word)


def _changing(what: str, help_text: str, *, takes_reason: bool = False) -> None:
    @click.argument("queue_ids", metavar="[ID…]", nargs=-1)
    @_filtered
    @click.option("--all", is_flag=True, help="Everything in the queue.")
    @click.option("--reason", required=takes_reason, help="Why; kept in the mail log.")
    @json_option
    @click.pass_obj
    def change(
        config: Path,
        /,
        queue_ids: tuple[str, ...],
        as_json: bool,
        reason: str | None,
        **wanted: Any,
    ) -> None:
        chosen = _sendable(wanted)
        everything = chosen.pop("all")
        if bool(queue_ids) == bool(chosen or everything):
            raise click.UsageError("Say which: by ID, or by a filter, or --all.")
        count = 0

        def tell(event: Event) -> None:
            nonlocal count
            count += event["changed"]
            if as_json:
                output.print_json(event)
            elif event["changed"]:
                click.echo(f"{event['queue_id']}: {_DONE[what]}")
            else:
                click.echo(f"{event['queue_id']}: left as it is. {event['reason']}")

        common = {"what": what, "reason": reason}
        for queue_id in queue_ids:
            events(config, f"queue-{what}", {**common, "queue_id": queue_id}, tell)
        if not queue_ids:
            events(config, f"queue-{what}", {**common, **chosen, "all": everything}, tell)
            if not count:
                raise Failed(f"there was nothing to {what}")

    change.__doc__ = f"{help_text}\n\n{_WHICH}"
    command.command(name=what)(change)


_WHICH = """By ID, or all that fit the filters given, as `queue list` shows them with the same ones.
What is on its way to Microsoft just then is left as it is."""


_DONE = {
    "retry": "is tried now",
    "hold": "is held until you release it",
    "release": "goes on",
    "delete": "is deleted; the mail log keeps what it was",
}

_changing("retry", "Try messages now instead of when they are due.")
_changing("hold", "Keep messages from going out until they are released.", takes_reason=True)
_changing("release", "Let held messages go on.")
_changing("delete", "Take messages out of the queue for good.", takes_reason=True)
