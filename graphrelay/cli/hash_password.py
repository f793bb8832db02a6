"""`graphrelay hash-password`."""

import sys

import click

from graphrelay.cli.ask import CommandFailed


@click.command(name="hash-password")
@click.option("--password", help="Instead of the prompt; it stays in the shell's history.")
def command(password: str | None) -> None:
    """Hash a password for [[smtp.users]].

    Prompts for the password, or reads it as one line from a pipe, and prints its scrypt hash, for
    password_hash.

    \b
    Example:
      [[smtp.users]]
      name = "printer"
      password_hash = "$scrypt$…"
      senders = ["printer@contoso.com"]
    """
    from graphrelay.smtp.access.login import hash_password

    if password is None:
        password = _asked() if sys.stdin.isatty() else _piped()
    click.echo(hash_password(password))


def _asked() -> str:
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def _piped() -> str:
    try:
        line = sys.stdin.buffer.readline().decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise CommandFailed("the password on standard input is not UTF-8") from error
    if not line:
        raise CommandFailed("there is no password on standard input: one line is read from it")
    return line
