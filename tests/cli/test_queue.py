"""`graphrelay queue`: which messages are meant must be said."""

from pathlib import Path

from tests.cli.test_commands import configured, run


def test_verbs_of_the_queue_want_to_know_which_messages(tmp_path: Path) -> None:
    asked = ("--config", configured(tmp_path), "queue", "delete", "--reason", "spam")
    assert run(*asked).returncode == 2
    assert run(*asked, "--all", "ABCDEF").returncode == 2
    nothing = run(*asked, "--sender", "@fabrikam.com", "--older-than", "2h")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "there was nothing to delete" in nothing.stderr
