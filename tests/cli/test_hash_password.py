"""`graphrelay hash-password`."""

from graphrelay.smtp.access.login import verify
from tests.cli.test_commands import run


def test_a_password_is_hashed_so_that_it_verifies() -> None:
    shown = run("hash-password", answer="s3cret\ns3cret\n")
    assert shown.returncode == 0
    assert verify(shown.stdout.splitlines()[-1].rsplit(" ", 1)[-1], "s3cret")
