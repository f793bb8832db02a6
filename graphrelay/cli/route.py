"""`graphrelay route`: which route mail would take, by the same code as for real mail.

It reads the configuration file itself, so that a change can be tried before the relay reloads it.
Nothing is sent.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphrelay.cli import output
from graphrelay.cli.ask import NO, CommandFailed, checked
from graphrelay.cli.output import Output, json_option

if TYPE_CHECKING:
    from graphrelay.model import Plan
    from graphrelay.relay.accept.router import Explanation, RoutingInput, RoutingTable


@click.command(name="route")
@click.option(
    "--from",
    "sender",
    metavar="ADDRESS",
    required=True,
    help="The sender, in MAIL FROM and From; <> for none.",
)
@click.option(
    "--to",
    "recipients",
    metavar="ADDRESS",
    required=True,
    multiple=True,
    help="A recipient. Repeatable.",
)
@click.option("--login", metavar="NAME", help="The user of [[smtp.users]] who logs in.")
@click.option(
    "--client", metavar="IP", default="127.0.0.1", show_default=True, help="The client's address."
)
@click.option(
    "--listener", metavar="ADDRESS", help="The listener, as configured. Default: the first."
)
@click.option(
    "--header",
    "fields",
    metavar="'NAME: VALUE'",
    multiple=True,
    help="A header field of the message, such as a From that differs from MAIL FROM. Repeatable.",
)
@json_option
@click.pass_obj
def command(
    config: Path,
    sender: str,
    recipients: tuple[str, ...],
    login: str | None,
    client: str,
    listener: str | None,
    fields: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show which route a message would take, and why earlier routes would not take it.

    Reads the configuration file, not the running relay, so that a change can be tried before a
    reload. Nothing is sent.

    \b
    Examples:
      graphrelay route --from shop@contoso.com --to alice@example.org
      graphrelay route --from scan@contoso.com --to a@example.org --login printer
      graphrelay --config new.toml route --from x@contoso.com --to a@example.org

    Exit status: 0 if the mail would be accepted, 1 if it would be refused.
    """
    from graphrelay.daemon import wiring
    from graphrelay.model import Origin, Reply
    from graphrelay.relay.accept import router

    settings, _ = checked(config)
    table = wiring.table(settings)
    listeners = [one.address for one in settings.smtp.listeners]
    if listener and listener not in listeners:
        raise CommandFailed(f"there is no listener {listener}, only {', '.join(listeners)}")
    if login and login not in table.senders.logins:
        known = ", ".join(table.senders.logins) or "none"
        raise CommandFailed(f"there is no user {login!r} in [[smtp.users]], only {known}")
    origin = Origin(listener or next(iter(listeners), ""), client, login=login)
    wanted = _transaction(sender, recipients, fields, origin, table)
    explanation = router.explain(wanted, table)
    for event in _events(explanation, str(wanted.sender or "")):
        (output.print_json if as_json else _print)(event)
    sys.exit(NO if isinstance(explanation.result, Reply) else 0)


def _transaction(
    sender: str,
    recipients: tuple[str, ...],
    fields: tuple[str, ...],
    origin: Any,
    table: "RoutingTable",
) -> "RoutingInput":
    """As reception would read it from a message with these header fields."""
    from graphrelay.mime import header
    from graphrelay.model import Address, Envelope
    from graphrelay.relay.accept import reception

    path = sender.strip().removeprefix("<").removesuffix(">")
    lines = list(fields)
    if path and not any(one.partition(":")[0].strip().lower() == "from" for one in lines):
        lines.append(f"From: {path}")
    section = header.read("".join(f"{line}\r\n" for line in lines).encode())
    if section is None or len(list(section.find("*"))) != len(lines):
        raise CommandFailed("--header needs a field as in a message, such as 'Subject: An invoice'")
    forward_paths = tuple(Address.parse(one) for one in recipients)
    envelope = Envelope(Address.parse(path) if path else None, forward_paths)
    return reception.transaction_of(section, envelope, origin, table)


def _events(explanation: "Explanation", sender: str) -> list[Output]:
    from graphrelay.model import Reply

    events: list[Output] = [
        {
            "kind": "recipient",
            "recipient": str(recipient),
            "routes": [{"route": one.route, "why_not": one.why_not} for one in considered],
        }
        for recipient, considered in explanation.considered
    ]
    match explanation.result:
        case Reply(code, status, text):
            return [*events, {"kind": "refused", "code": code, "status": status, "text": text}]
        case parts:
            plans = (
                _plan(plan, sender) | {"recipients": [str(one) for one in whom]}
                for plan, whom in parts
            )
            return [*events, *plans]


def _plan(plan: "Plan", sender: str) -> Output:
    return {
        "kind": "plan",
        "route": plan.route,
        "account": plan.lane.account,
        "mailbox": plan.lane.mailbox,
        "from": plan.from_address,
        "reply_to": plan.reply_to,
        "replies_nowhere": sender if _replies_nowhere(plan, sender) else "",
        "subject_prefix": plan.subject_prefix,
        "redirect_to": plan.redirect_to,
        "content": plan.content,
        "save_to_sent_items": plan.save_to_sent_items,
        "invitations": plan.invitations,
    }


def _replies_nowhere(plan: "Plan", sender: str) -> bool:
    """Whether the old From, which becomes Reply-To, is in a domain that cannot exist (RFC 2606), as
    WordPress writes it on a server without a name: wordpress@localhost.invalid."""
    nowhere = sender.lower().endswith((".invalid", "@localhost", ".localhost", ".localdomain"))
    return nowhere and bool(plan.from_address) and not plan.reply_to


# --- For people ----------------------------------------------------------------------------------


def _print(event: Output) -> None:
    match event["kind"]:
        case "recipient":
            click.echo(f"{event['recipient']}")
            for one in event["routes"]:
                verdict = f"no: {one['why_not']}" if one["why_not"] else "yes"
                click.echo(f"  {one['route']}: {verdict}")
            if not event["routes"]:
                click.echo("  there is no route")
        case "refused":
            said = f"refused: {event['code']} {event['status']} {event['text']}"
            click.secho(said, fg="red")
        case _:
            _print_plan(event)


def _print_plan(plan: Output) -> None:
    click.secho(f"route {plan['route']}: {output.people(plan['recipients'])}", fg="green")
    click.echo(f"  account {plan['account']}, mailbox {plan['mailbox']}")
    click.echo(f"  From becomes {plan['from']}" if plan["from"] else "  From is unchanged")
    if plan["replies_nowhere"]:
        click.echo(
            f"  replies would go to {plan['replies_nowhere']}, which cannot exist: set reply_to on "
            "this route"
        )
    for key, words in _WORDS.items():
        if plan[key]:
            click.echo(f"  {words} {plan[key]}")
    if plan["content"] == "json" or not plan["save_to_sent_items"]:
        kept = "a copy" if plan["save_to_sent_items"] else "no copy"
        click.echo(f"  converted to JSON, {kept} in Sent Items")
        if plan["invitations"] == "mime":
            click.echo("  an invitation goes as MIME, and leaves a copy")


_WORDS = {
    "reply_to": "Reply-To becomes",
    "subject_prefix": "the subject begins with",
    "redirect_to": "sent instead to",
}
