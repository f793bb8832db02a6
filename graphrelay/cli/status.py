"""`graphrelay status [ACCOUNT]`."""

import sys
from pathlib import Path
from typing import Any

import click

from graphrelay.cli import machine, output
from graphrelay.cli.ask import NO, CommandFailed, carry_out
from graphrelay.cli.complete import accounts
from graphrelay.cli.output import Output, json_option


@click.command(name="status")
@click.argument("account", metavar="[ACCOUNT]", required=False, shell_complete=accounts)
@click.option("--probe", metavar="ADDRESS", help="Also send a real test message to this address.")
@click.option(
    "--from", "sender", metavar="ADDRESS", help="Its sender. Default: the account's own mailbox."
)
@click.option(
    "--outside",
    metavar="MAILBOX",
    help="Also show that a scoped-users account cannot use this mailbox. Sends no mail.",
)
@json_option
@click.pass_obj
def command(
    config: Path,
    account: str | None,
    probe: str | None,
    sender: str | None,
    outside: str | None,
    as_json: bool,
) -> None:
    """Show whether the relay runs and its accounts are authorized.

    Each account is asked for a real token.

    \b
    Authorized    the account can send
    Unauthorized  nobody has signed in, the account was revoked, or a permission is missing
    Too broad     the account can do more than its scenario allows
    Refused       Microsoft refuses a token; the reason and the remedy are shown

    A credential that expires within 30 days is shown as a warning.

    \b
    Examples:
      graphrelay status
      graphrelay status website --probe you@example.org
      graphrelay status alerts --outside ceo@contoso.com

    Exit status: 0 if the relay runs and everything asked for is in order, 1 if not.
    """
    printer = _Printer(as_json)
    running = carry_out(config, "status", {"account": account}, printer.status)
    if not printer.found:
        printer.no_account({"kind": "no-account", "well": False, "remedy": _add_one(config)})
    start = "" if running else f"Run: {machine.start(config)}"
    printer.relay({"kind": "relay", "running": running, "well": running, "remedy": start})
    if probe:
        for status in [one for one in printer.found if one["well"]]:
            _probe(config, status, probe, sender, printer)
    if outside:
        arguments = {"account": account, "mailbox": outside}
        carry_out(config, "outside", arguments, printer.proof)
    sys.exit(0 if printer.all_is_well else NO)


class _Printer:
    """Prints each event, and keeps what follows from it."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self.found: list[Output] = []
        self.all_is_well = True

    def status(self, event: Output) -> None:
        self.found.append(event)
        self.all_is_well &= event["well"]
        (output.print_json if self._as_json else _print)(event)

    def no_account(self, event: Output) -> None:
        """The configuration has none."""
        self.all_is_well = False
        (output.print_json if self._as_json else _print_no_account)(event)

    def relay(self, event: Output) -> None:
        """Whether it runs."""
        self.all_is_well &= event["well"]
        (output.print_json if self._as_json else _print_relay)(event)

    def proof(self, event: Output) -> None:
        """The result for a scope, or for a test message."""
        self.all_is_well &= event["well"]
        (output.print_json if self._as_json else _print_proof)(event)


def _add_one(config: Path) -> str:
    return f"Run: {machine.program(config)} console   and set up an account there"


def _print_no_account(event: Output) -> None:
    click.secho("no account is configured, so every message is refused for now (450)", fg="red")
    click.echo(f"  {event['remedy']}")


# --- A message -----------------------------------------------------------------------------------


def _probe(config: Path, status: Output, to: str, sender: str | None, printer: _Printer) -> None:
    """Send a message from the account's own mailbox, and check that it went through the account."""
    account = status["account"]
    author = sender or status["mailbox"]
    if not author:
        raise CommandFailed(f"account {account} has no mailbox of its own; use --from ADDRESS")
    ends: list[Output] = []
    carry_out(config, "send-test", {"recipient": to, "sender": author}, ends.append)
    last = ends[-1]
    taken: list[Output] = []
    carry_out(config, "queue-show", {"queue_id": last["queue_id"]}, taken.append)
    printer.proof({**_judged(account, last, taken), "recipient": to, "queue_id": last["queue_id"]})


def _judged(account: str, last: Output, taken: list[Output]) -> dict[str, Any]:
    parts = [part for message in taken for part in message["parts"]]
    others = {part["account"] for part in parts} - {account}
    judged = {"kind": "probe", "account": account, "result": last["kind"], "remedy": ""}
    if others:
        routes = ", ".join(part["route"] for part in parts)
        reason = f"the message went through account {', '.join(others)} (route {routes})"
        remedy = "Choose a sender that a route of this account takes: --from ADDRESS"
        return judged | {"well": False, "reason": reason, "remedy": remedy}
    if last["kind"] == "relayed":
        return judged | {"well": True, "reason": "Microsoft accepted the message"}
    events = [event for part in parts for event in part["history"]]
    reason = last.get("reason") or (events[-1]["reason"] if events else "")
    return judged | {"well": False, "reason": reason, "remedy": last.get("remedy", "")}


# --- For people ----------------------------------------------------------------------------------


def _print(status: Output) -> None:
    click.secho(status["status"], fg="green" if status["well"] else "red", bold=True, nl=False)
    click.echo(f"  {status['account']} ({status['scenario']})")
    if status["reason"]:
        click.echo(f"  why         {status['reason']}")
    if status.get("error"):
        suberror = f" / {status['suberror']}" if status["suberror"] else ""
        click.echo(f"  error       {status['error']}{suberror}")
    if status["remedy"]:
        click.echo(f"  what to do  {status['remedy']}")
    if status["warning"]:
        click.secho(f"  soon        {status['warning']}", fg="yellow")
    if status["limit"]:
        click.secho(f"  limited     {status['limit']}", fg="yellow")
    if status.get("risk"):
        click.secho(f"  risk        {status['risk']}", fg="yellow")
    if status.get("who"):
        _print_evidence(status)
    click.echo(f"  vault       {status['vault']}")


def _print_relay(event: Output) -> None:
    if event["running"]:
        click.echo("The relay is running.")
        return
    click.secho("The relay is not running: no mail is accepted or sent.", fg="red", bold=True)
    click.echo(f"  what to do  {event['remedy']}")


def _print_evidence(status: Output) -> None:
    from graphrelay.assumptions import SAID

    click.echo(f"  who         {status['who']} in tenant {status['tenant']}")
    if status["mailbox"]:
        click.echo(f"  mailbox     {status['mailbox']}")
    authorized = output.local_time(status["authorized_at"])
    click.echo(f"  authorized  {authorized} by {status['authorized_by']}")
    click.echo(f"  refreshed   {output.local_time(status['refreshed_at'])}")
    if status["issued_at"]:
        issued = output.local_time(status["issued_at"])
        click.echo(f"  issued      {issued}; {SAID['managed-identity'].assumed}")
    if status["lapses_at"]:
        click.echo(
            f"  lapses      {output.local_time(status['lapses_at'])}: "
            + SAID["refresh-token"].assumed
        )
    if status["credential_ends_at"]:
        click.echo(f"  credential  expires {output.local_time(status['credential_ends_at'])}")
    click.echo(f"  granted     {', '.join(status['granted']) or 'nothing that the token names'}")
    for key, label in (("missing", "missing"), ("superfluous", "not needed")):
        if status[key]:
            click.secho(f"  {label:<12}{', '.join(status[key])}", fg="yellow")


def _print_proof(event: Output) -> None:
    label = "message" if event["kind"] == "probe" else "outside"
    click.secho(f"  {label:<12}{event['result']}", fg="green" if event["well"] else "red", nl=False)
    click.echo(f": {event['reason']}")
    if event["remedy"]:
        click.echo(f"  what to do  {event['remedy']}")
