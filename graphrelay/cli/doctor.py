"""`graphrelay doctor ACCOUNT --to ADDRESS`."""

import contextlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from graphrelay.cli import output
from graphrelay.cli.ask import NO, CommandFailed, carry_out
from graphrelay.cli.complete import accounts
from graphrelay.cli.output import Output, json_option
from graphrelay.cli.typed import typed_line

GO, REVOKED = "go", "revoked"
"""The questions of the verb."""


@click.command(name="doctor")
@click.argument("account", metavar="ACCOUNT", shell_complete=accounts)
@click.option(
    "--to",
    required=True,
    metavar="ADDRESS",
    help="Your address, which gets a few test messages besides the account's own mailbox.",
)
@click.option("--skip", multiple=True, metavar="CHECK", help="Omit a check. May be repeated.")
@click.option(
    "--outside", metavar="MAILBOX", help="A mailbox that the account may not use, for `probe`."
)
@click.option(
    "--revoke",
    is_flag=True,
    help="Also look at what a revoked session is answered: you revoke it, and authorize again.",
)
@click.option("--tenant", is_flag=True, help="Keep the tenant and its domains in the file.")
@click.option(
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file to write. Default: graphrelay-doctor-DATE-TIME.json in this directory.",
)
@click.option("--yes", is_flag=True, help="Do not ask before it begins.")
@json_option
@click.pass_obj
def command(
    config: Path,
    /,
    account: str,
    to: str,
    file: Path | None,
    yes: bool,
    as_json: bool,
    skip: tuple[str, ...],
    **wishes: Any,
) -> None:
    """Check what the relay assumes about Microsoft, with a real account.

    Run it once in a new tenant, and after changes at Microsoft. It first says what it will do and
    what it will send (to the account's own mailbox and to ADDRESS, nothing else), and asks. It ends
    with a table: what was assumed, what was seen, and what a difference changes.

    All answers are written to a JSON file that can be sent to the developers: without tokens, and
    with addresses, names and the tenant made unrecognizable. The command's own drafts and messages
    are deleted at the end if the account may do so (Mail.ReadWrite). No message is ever sent twice;
    a check that needs a permission that the account does not have is omitted.

    \b
    Examples:
      graphrelay doctor website --to you@example.org
      graphrelay doctor website --to you@example.org --skip size-mime --skip six-at-once

    Exit status: 0 if all is as assumed, 1 if something is different or not known.
    """
    arguments = {"account": account, "to": to, "skip": list(skip), **wishes}
    report = _Report(as_json)

    async def answer(what: str) -> str:
        if what == GO and yes:
            return "yes"
        click.echo(_QUESTIONS[what], nl=False, err=as_json)
        return await typed_line()

    # Opened here and now: without a running relay the verb runs as the owner of its state.
    name = file or Path(f"graphrelay-doctor-{datetime.now(UTC):%Y%m%d-%H%M%S}.json")
    with _created(name) as kept:
        try:
            carry_out(config, "doctor", arguments, report, answer)
        finally:
            if report.findings:  # also of a run that was interrupted
                json.dump(report.document(), kept, indent=1, ensure_ascii=False)
            else:
                with contextlib.suppress(PermissionError):  # this process is another user by now
                    name.unlink()
    if report.findings:
        click.echo(f"All answers, redacted: {name}", err=as_json)
    sys.exit(0 if report.is_well else NO)


_QUESTIONS = {
    GO: "Begin? [yes/no] ",
    REVOKED: (
        "Now revoke the user's sessions (Entra admin center > Users > the user > Revoke sessions), "
        "then type yes: "
    ),
}


def _created(name: Path) -> IO[str]:
    """A new file that only this user can read."""
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandFailed(
            f"{name} cannot be created: {error.strerror}; choose another file with --output"
        ) from error
    return os.fdopen(descriptor, "w", encoding="utf-8")


class _Report:
    """Prints each event, and keeps what belongs in the file."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self.findings: list[Output] = []
        self._records: list[Output] = []
        self._result: Output = {}
        self._run, self._number, self._of = "", 0, 0

    @property
    def is_well(self) -> bool:
        return bool(self._result.get("well"))

    def document(self) -> Output:
        """The file. One without `conclusion` is of a run that was interrupted."""
        head = _without_kind(self._result)
        findings = [_without_kind(one) for one in self.findings]
        return {"run": self._run, **head, "findings": findings, "exchanges": self._records}

    def __call__(self, event: Output) -> None:
        match event["kind"]:
            case "plan":
                self._run = event["run"]
                self._of = sum(not one["left_out"] for one in event["checks"])
            case "began":
                self._number += 1
            case "found":
                self.findings.append(event)
            case "record":
                self._records.append(event["entry"])
            case "end":
                self._result = event
        if self._as_json:
            output.print_json(event)
        else:
            self._print(event)

    def _print(self, event: Output) -> None:
        match event["kind"]:
            case "plan":
                _print_plan(event)
            case "declined":
                click.echo("Nothing was sent.")
            case "began":
                place = f"[{self._number}/{self._of}]"
                click.echo(f"{place} {event['check']}: {event['does']} …")
            case "cleaned":
                click.echo(f"Cleaned up: {event['result']}.\n")
            case "end":
                for found in self.findings:
                    _print_finding(found)
                click.echo(f"\n{event['conclusion']}.")


def _without_kind(event: Output) -> Output:
    return {name: value for name, value in event.items() if name != "kind"}


def _print_plan(event: Output) -> None:
    click.echo(f"Account {event['account']}, mailbox {event['mailbox']}: {event['status']}")
    running = [one for one in event["checks"] if not one["left_out"]]
    left_out = [one for one in event["checks"] if one["left_out"]]
    click.echo("This will be tried:")
    for one in running:
        click.echo(f"  {one['check']:<16} {one['does']}")
    if left_out:
        click.echo("This will be left out:")
    for one in left_out:
        click.echo(f"  {one['check']:<16} {one['left_out']}")
    letters, nobody = event["letters"], ""
    if letters["nobody"]:
        nobody = f", and one to {event['nobody']}, an address that nobody can have"
    click.echo(
        f"It will send {letters['own']} messages to {event['mailbox']}, of which {letters['to']} "
        f"go to {event['to']} too{nobody}. It sends nothing to anybody else."
    )
    if event["warning"]:
        click.secho(f"Note: {event['warning']}", fg="yellow")


_COLOURS = {"fine": "green", "different": "yellow", "not known": "red"}


def _print_finding(found: Output) -> None:
    """One row of the table; what is as assumed takes one line."""
    verdict = found["verdict"]
    click.secho(f"{verdict:<10}", fg=_COLOURS.get(verdict), nl=False)
    click.echo(f" {found['check']:<16} {found['seen']}")
    if verdict == "different":
        click.echo(f"{'':<11}{'assumed':<16} {found['assumed']}")
        click.echo(f"{'':<11}{'what changes':<16} {found['changes']}")
