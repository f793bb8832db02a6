"""`graphrelay hash-password`."""

import click


@click.command(name="hash-password")
@click.password_option(help="Asked for when it is not given, so that no shell history keeps it.")
def command(password: str) -> None:
    """Hash a password for password_hash in [[smtp.users]] (scrypt)."""
    from graphrelay.smtp.access.login import hash_password

    click.echo(hash_password(password))
