"""`graphrelay send-test --to ADDRESS`."""

import sys
from pathlib import Path

import click

from graphrelay.cli import output
from graphrelay.cli.ask import NO, carry_out
from graphrelay.cli.output import Output, json_option


@click.command(name="send-test")
@click.option("--to", "recipient", required=True, metavar="ADDRESS", help="The recipient.")
@click.option(
    "--from", "sender", metavar="ADDRESS", help="The sender. Default: the mailbox of the route."
)
@click.option("--listener", metavar="ADDRESS", help="The listener that routes are to see.")
@click.option(
    "--patience",
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the result.",
)
@json_option
@click.pass_obj
def command(config: Path, /, as_json: bool, **arguments: object) -> None:
    """Send a test message through the running relay, and follow it.

    Each step is printed: accepted, every attempt with Microsoft's answer, and the result. If the
    result takes longer than --patience, the message stays in the queue and is sent later.

    \b
    Example:
      graphrelay send-test --to you@example.org --from wp@contoso.com

    Exit status: 0 if Microsoft accepted the message, 1 if not.
    """
    ends: list[Output] = []

    def show(event: Output) -> None:
        ends.append(event)
        (output.print_json if as_json else _print)(event)

    carry_out(config, "send-test", arguments, show)
    sys.exit(0 if ends and ends[-1]["kind"] == "relayed" else NO)


def _print(event: Output) -> None:
    match event["kind"]:
        case "accepted":
            click.echo(f"accepted   {event['queue_id']}, it is on disk")
        case "happened":
            click.echo(f"attempt {event.get('attempt', '')}  {_attempt(event)}")
        case "relayed":
            click.secho(
                "relayed    Microsoft accepted it; look into the recipient's mailbox", fg="green"
            )
        case "waits":
            click.secho(f"waiting    {event['reason']} {event.get('remedy', '')}", fg="yellow")
        case other:
            click.secho(f"{other:<11}{event['queue_id']}", fg="red")


def _attempt(event: Output) -> str:
    words = [event["outcome"], event.get("status") or "", event["reason"]]
    words += [f"HTTP {event['http']}" if event.get("http") else "", event.get("code") or ""]
    words += [f"request-id {event['request_id']}" if event.get("request_id") else ""]
    return " ".join(word for word in words if word)
