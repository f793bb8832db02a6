"""`graphrelay hash-password`."""

import click


@click.command(name="hash-password")
@click.password_option(help="Prompted for if not given, which keeps it out of the shell's history.")
def command(password: str) -> None:
    """Hash a password for [[smtp.users]].

    Prompts for the password and prints its scrypt hash, for password_hash.

    \b
    Example:
      [[smtp.users]]
      name = "printer"
      password_hash = "$scrypt$…"
      senders = ["printer@contoso.com"]
    """
    from graphrelay.smtp.access.login import hash_password

    click.echo(hash_password(password))
