"""Answers that options give: a mistake names its option."""

from pathlib import Path

import pytest

from tests.guide.making import PERSONAL, USER, init


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "--yes with scenario user needs --username"),
        (["--scenario", "any-user"], "--yes with scenario any-user needs --mailbox"),
        ([*USER, "--credential", "secret"], "--credential: not with scenario user"),
        ([*PERSONAL, "--mailbox", "a@b.c"], "--mailbox: not with scenario personal"),
        (["--scenario", "any-user", "--username", "a@b.c"], "--username: not with scenario"),
        (["--scenario", "user", "--username", "wp"], "--username must be a mail address"),
        ([*USER, "--client-id", "graphrelay"], "--client-id must be an id such as"),
        ([*USER, "--account", "my site"], "--account must be letters, digits"),
        ([*USER, "--mailbox", "info"], "--mailbox must be a mail address"),
        ([*USER, "--tenant", "two words"], "--tenant must be a domain"),
        (["--scenario", "root"], "'root' is not one of"),
    ],
)
def test_a_mistake_names_its_option(tmp_path: Path, options: list[str], expected: str) -> None:
    shown = init(tmp_path, "--yes", *options)
    assert shown.exit_code == 2
    assert expected in " ".join(shown.output.split())
    assert list(tmp_path.iterdir()) == []


def test_a_personal_account_in_a_national_cloud_is_refused(tmp_path: Path) -> None:
    shown = init(tmp_path, "--yes", *PERSONAL, "--cloud", "china")
    assert shown.exit_code == 1
    assert "exist in the global cloud only" in shown.output
