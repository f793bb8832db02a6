"""`graphrelay queue …`."""

import base64
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from graphrelay.cli import output
from graphrelay.cli.ask import CommandFailed, carry_out
from graphrelay.cli.complete import accounts, queue_ids
from graphrelay.cli.log import Moment
from graphrelay.cli.output import Output, json_option


@click.group(name="queue")
def command() -> None:
    """List and change the messages that are waiting.

    An ID is the one that the client saw in the 250 reply to its message. A message that
    goes through several mailboxes has several parts; the second is called 4QX7K2M9/2.

    \b
    Examples:
      graphrelay queue list
      graphrelay queue show 4QX7K2M9
      graphrelay queue retry --account website
      graphrelay queue hold --sender @contoso.com --reason "maintenance"
      graphrelay queue delete 4QX7K2M9 --reason "sent by mistake"
      graphrelay queue delete --sender @contoso.com --older-than 2d --dry-run
    """


_FILTERS = (
    click.option(
        "--account",
        metavar="NAME",
        shell_complete=accounts,
        help="Only messages that go through this account.",
    ),
    click.option(
        "--mailbox", metavar="ADDRESS", help="Only messages that go through this mailbox."
    ),
    click.option("--route", metavar="NAME", help="Only messages of this route, such as routes[0]."),
    click.option(
        "--sender", metavar="ADDRESS", help="The envelope sender: an address, @domain, or <>."
    ),
    click.option("--recipient", metavar="ADDRESS", help="One of the recipients."),
    click.option(
        "--older-than",
        "received_before",
        type=Moment(),
        metavar="TIME",
        help="Only messages that have been waiting for longer, such as 2h, or since before a date.",
    ),
)


def _filtered(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_FILTERS):
        function = option(function)
    return function


@command.command(name="list")
@click.option("--state", type=click.Choice(["queued", "held"]), help="Only messages in this state.")
@_filtered
@click.option(
    "--limit",
    default=1000,
    type=output.rows,
    show_default=True,
    metavar="N",
    help="At most N messages.",
)
@json_option
@click.pass_obj
def list_(config: Path, /, as_json: bool, **wanted: Any) -> None:
    """List the messages that are waiting, oldest first.

    \b
    Examples:
      graphrelay queue list --state held
      graphrelay queue list --older-than 2h --json
    """
    rows: list[Output] = []

    def show(event: Output) -> None:
        if event.get("kind") == "total":
            said = f"{event['listed']:,} of {event['total']:,} messages; --limit shows more"
            click.echo(said, err=True)
        elif as_json:
            output.print_json(event)
        else:
            rows.append(event)

    carry_out(config, "queue-list", _sendable(wanted) | {"count": True}, show)
    if as_json:
        return
    if not rows:
        click.echo("no message is waiting")
        return
    output.table(
        ["ID", "RECEIVED", "SENDER", "RECIPIENTS", "SIZE", "ATTEMPTS", "STATE"],
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
    for line in dict.fromkeys(_why(row) for row in rows if row.get("waits")):
        click.echo(line)


def _why(row: Output) -> str:
    """What the rows of a lane have in common, to be printed once."""
    waits = row["waits"]
    if waits["state"] == "not running":
        return str(waits["reason"])
    account = "" if row["account"] in waits["reason"] else f"account {row['account']}, "
    return f"{account}mailbox {row['mailbox']}: {_sentence(waits)}"


def _sentence(waits: Output) -> str:
    until = f" It is tried again at {output.local_time(waits['until'])}." if waits["until"] else ""
    remedy = f" {waits['remedy']}" if waits["remedy"] else ""
    return f"{waits['reason'].rstrip('.')}.{until}{remedy}"


def _sendable(wanted: dict[str, Any]) -> dict[str, Any]:
    """In the form in which JSON carries it to the daemon."""
    given = {key: value for key, value in wanted.items() if value is not None}
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in given.items()
    }


def _state(row: Output) -> str:
    match row["state"]:
        case "queued" if waits := row.get("waits"):
            return f"waits: {waits['state']}"
        case "queued" if row.get("due"):
            state = "due now"
        case "queued":
            state = f"next attempt {output.local_time(row['not_before'])}"
        case "held":
            state = f"held: {row['reason']}"
        case other:
            state = str(other)
    return f"{state} ({row['last']})" if row.get("last") else state


@command.command()
@click.argument("queue_id", metavar="ID", shell_complete=queue_ids)
@json_option
@click.pass_obj
def show(config: Path, queue_id: str, as_json: bool) -> None:
    """Show a message: its route, every attempt, Microsoft's answers."""
    carry_out(
        config,
        "queue-show",
        {"queue_id": queue_id},
        output.print_json if as_json else _print_message,
    )


def _print_message(message: Output) -> None:
    for label, key in _MESSAGE:
        if message.get(key):
            click.echo(f"{label:<12}{message[key]}")
    click.echo(f"{'received':<12}{output.local_time(message['received_at'])}")
    click.echo(f"{'size':<12}{output.size(message['size'])}")
    for part in message["parts"]:
        click.echo()
        click.secho(f"{part['queue_id']}  {_state(part)}", bold=True)
        if waits := part.get("waits"):
            click.echo(f"  why       {_sentence(waits)}")
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


def _progress(draft: Output) -> str:
    if not draft["attachments"]:
        return "complete, about to be sent"
    words = f"{draft['attached']} of {draft['attachments']} attachments"
    next_one = f", {output.size(draft['uploaded'])} of the next" if draft["uploaded"] else ""
    return words + next_one


def _print_lost(event: Output) -> None:
    """What could not be kept of the message by the method that sent it."""
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


def _happened(event: Output) -> str:
    words = [f"attempt {event['attempt']}:" if event.get("attempt") else "", event["outcome"]]
    words += [event.get("status") or "", event["reason"]]
    words += [f"[{event['code']}]" if event.get("code") else ""]
    words += [f"request-id {event['request_id']}" if event.get("request_id") else ""]
    return " ".join(word for word in words if word)


@command.command()
@click.argument("queue_id", metavar="ID", shell_complete=queue_ids)
@click.option(
    "--file",
    "number",
    type=click.IntRange(min=0),
    metavar="N",
    help="Write the octets of file N to standard output; 0 is the whole message.",
)
@json_option
@click.pass_obj
def content(config: Path, queue_id: str, number: int | None, as_json: bool) -> None:
    """Show what a message says, or write one of its files.

    The text is there while the message waits, and afterwards for as long as log.keep_messages says.

    \b
    Examples:
      graphrelay queue content 4QX7K2M9
      graphrelay queue content 4QX7K2M9 --file 1 >invoice.pdf
      graphrelay queue content 4QX7K2M9 --file 0 >message.eml
    """
    if number is None:
        show = output.print_json if as_json else _print_content
        carry_out(config, "queue-content", {"queue_id": queue_id}, show)
        return
    if sys.stdout.isatty() and not as_json:
        raise click.UsageError(
            "A file of a message can contain commands for this terminal. Write it to a file: "
            f"graphrelay queue content {queue_id} --file {number} >FILE"
        )
    wanted = {"queue_id": queue_id, "number": number}
    carry_out(config, "queue-file", wanted, output.print_json if as_json else _write_octets)


def _print_content(found: Output) -> None:
    from graphrelay.model import one_line, without_controls

    for name, value in found["fields"]:
        click.echo(f"{one_line(name)}: {one_line(value, _LONGEST_FIELD)}")
    click.echo()
    click.echo("\n".join(map(without_controls, (found["sealed"] or found["text"]).splitlines())))
    if found["cut"]:
        click.echo("… (--file 0 has the rest)")
    for one in found["files"]:
        kind = f"{one_line(one['type'])}, {output.size(one['size'])}"
        click.echo(f"file {one['number']}: {one_line(one['name'])} ({kind})")


def _write_octets(event: Output) -> None:
    if event["kind"] == "octets":
        sys.stdout.buffer.write(base64.b64decode(event["base64"]))


_LONGEST_FIELD = 2_000


def _changing(what: str, help_text: str, *, takes_reason: bool = False) -> None:
    @click.argument("queue_ids", metavar="[ID…]", nargs=-1, shell_complete=queue_ids)
    @_filtered
    @click.option("--all", is_flag=True, help="All messages in the queue.")
    @click.option(
        "--dry-run", is_flag=True, help="List the messages that would be changed; change none."
    )
    @click.option(
        "--reason",
        help="The reason, for the mail log. Required, except with --dry-run."
        if takes_reason
        else "The reason, for the mail log.",
    )
    @json_option
    @click.pass_obj
    def change(
        config: Path,
        /,
        queue_ids: tuple[str, ...],
        as_json: bool,
        dry_run: bool,
        reason: str | None,
        yes: bool = False,
        **wanted: Any,
    ) -> None:
        chosen = _sendable(wanted)
        everything = chosen.pop("all")
        if bool(queue_ids) == bool(chosen or everything):
            raise click.UsageError("Choose messages: by ID, by a filter, or with --all.")
        if dry_run:
            if queue_ids:
                raise click.UsageError("--dry-run goes with filters and --all, not with an ID.")
            _print_dry_run(config, what, chosen, as_json=as_json)
            return
        if takes_reason and not reason:
            raise click.UsageError("Missing option '--reason'.")
        if everything and what == "delete" and not yes:
            _ask_to_delete_all(config)
        count = 0

        def show(event: Output) -> None:
            nonlocal count
            count += event["changed"]
            if as_json:
                output.print_json(event)
            elif event["changed"]:
                click.echo(f"{event['queue_id']}: {_DONE[what]}")
            else:
                click.echo(f"{event['queue_id']}: unchanged. {event['reason']}")

        common = {"what": what, "reason": reason}
        for queue_id in queue_ids:
            carry_out(config, f"queue-{what}", {**common, "queue_id": queue_id}, show)
        if not queue_ids:
            carry_out(config, f"queue-{what}", {**common, **chosen, "all": everything}, show)
            if not count:
                raise CommandFailed(f"there is no message to {what}")

    if what == "delete":
        change = click.option("--yes", is_flag=True, help="With --all: do not ask.")(change)
    change.__doc__ = f"{help_text}\n\n{_WHICH}"
    command.command(name=what)(change)


def _ask_to_delete_all(config: Path) -> None:
    found: list[Output] = []
    carry_out(config, "queue-list", {"limit": 1, "count": True}, found.append)
    if not found:
        raise CommandFailed("there is no message to delete")
    count = found[-1].get("total", 1)
    click.confirm(
        f"Delete all {count:,} messages in the queue? "
        "Nothing of it is sent, and nobody gets a report.",
        abort=True,
        err=True,
    )


def _print_dry_run(config: Path, what: str, chosen: dict[str, Any], *, as_json: bool) -> None:
    """The running relay may be older than this option, so it is asked for a list, which changes
    nothing."""
    from graphrelay.control.verbs.mail import STATES

    state = {"state": STATES[what]} if what in STATES else {}
    found: list[Output] = []
    wanted = {**state, **chosen, "limit": _EVERYTHING}
    carry_out(config, "queue-list", wanted, output.print_json if as_json else found.append)
    for row in found:
        people = output.people(row["recipients"])
        sending = row["state"] == "in flight"
        verdict = "is being sent, and would not be changed" if sending else _WOULD[what]
        click.echo(f"{row['queue_id']}: {verdict} ({row['sender']} to {people})")
    if not as_json and not found:
        raise CommandFailed(f"there is no message to {what}")


_EVERYTHING = 2**31
_WOULD = {
    "retry": "would be sent now",
    "hold": "would be held",
    "release": "would be released",
    "delete": "would be deleted",
}
_WHICH = """Choose messages by ID, or by filters: `queue list` shows the same messages for the same
filters. A message that is being sent at this moment is not changed."""


_DONE = {
    "retry": "will be sent now",
    "hold": "held until you release it",
    "release": "released",
    "delete": "deleted; the mail log keeps its history",
}

_changing("retry", "Send messages now instead of at their next attempt.")
_changing("hold", "Keep messages in the queue until they are released.", takes_reason=True)
_changing("release", "Let held messages be sent.")
_changing(
    "delete",
    "Delete messages from the queue. They are not sent, and their senders get no report.",
    takes_reason=True,
)
