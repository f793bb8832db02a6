"""The questions of `init`, and the answers of a person."""

import stat
from datetime import UTC, datetime
from pathlib import Path

from graphrelay.config import load
from graphrelay.oauth.scenario import (
    Account,
    SendAsUser,
)
from tests.guide.making import APPLICATION, CLIENT, IDS, USER, account, end_of_secret, init


def test_each_question_explains_its_consequences(tmp_path: Path) -> None:
    answers = {
        "Which": "user",
        "Name": "",
        "Which cloud": "",
        "Tenant": "contoso.com",
        "User name": "nobody",
        "User name again": "wp@contoso.com",
        "Primary address": "",
        "Other mailboxes": "",
        "Files over 3 MB": "",
        "Look for it": "",
        "Address": "",
        "Application (client) ID": CLIENT,
    }
    shown = init(tmp_path, answers="\n".join(answers.values()) + "\n")
    assert shown.exit_code == 0, shown.output
    found = account(load(tmp_path / "config.toml"))
    assert found == Account("website", "contoso.com", CLIENT, SendAsUser("wp@contoso.com"))
    assert "The relay never falls back" in shown.output
    assert "must be a mail address" in shown.output  # "nobody" was asked for again
    assert shown.output.index("App registrations") < shown.output.index("Application (client) ID [")


def test_a_typed_secret_goes_into_a_file_of_its_own_and_is_never_shown(tmp_path: Path) -> None:
    options = ["--scenario", "any-user", "--credential", "secret", *IDS, *APPLICATION]
    options += ["--account", "alerts", "--cloud", "global", "--no-large-messages"]
    options += ["--no-exact-once", "--listener", "127.0.0.1:2525"]
    answers = [CLIENT, "s3cret~value", "someday", "2027-11-01"]  # An id first, as people do.
    shown = init(tmp_path, *options, answers="\n".join(answers) + "\n")
    assert shown.exit_code == 0, shown.output
    assert "but its value is needed" in shown.output
    assert "s3cret" not in shown.output
    kept = tmp_path / "alerts.secret"
    assert kept.read_text(encoding="utf-8") == "s3cret~value\n"
    assert stat.S_IMODE(kept.stat().st_mode) & 0o007 == 0
    assert "s3cret" not in (tmp_path / "config.toml").read_text(encoding="utf-8")
    assert end_of_secret(load(tmp_path / "config.toml")) == datetime(2027, 11, 1, tzinfo=UTC)


def test_a_mailbox_whose_address_is_not_the_user_name_gets_both(tmp_path: Path) -> None:
    options = ["--yes", *USER, *IDS, "--address", "website@contoso.com"]
    assert init(tmp_path, *options).exit_code == 0
    found = account(load(tmp_path / "config.toml"))
    assert found == Account(
        "website",
        "contoso.com",
        CLIENT,
        SendAsUser("wp@contoso.com"),
        address="website@contoso.com",
    )


def test_after_ctrl_c_only_what_is_missing_is_asked(tmp_path: Path) -> None:
    stopped = init(tmp_path, answers="user\n\n\nno domain\ncontoso.com\nwp@contoso.com\n")
    assert stopped.exit_code != 0  # the input ended, as at Ctrl-C
    assert "must be a domain" in stopped.output
    assert not (tmp_path / "config.toml").exists()
    kept = tmp_path / ".config.toml.answers"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    shown = init(tmp_path, answers=f"\n\n\n\n\n{CLIENT}\n")
    assert shown.exit_code == 0, shown.output
    assert f"Going on with the answers in {kept}" in shown.output
    assert "User name" not in shown.output
    found = account(load(tmp_path / "config.toml"))
    assert found == Account("website", "contoso.com", CLIENT, SendAsUser("wp@contoso.com"))
    assert not kept.exists()


def test_a_listener_on_the_network_asks_who_may_connect(tmp_path: Path) -> None:
    options = ["--scenario", "user", "--username", "wp@contoso.com", *IDS, "--account", "a"]
    options += ["--cloud", "global", "--no-large-messages", "--no-exact-once"]
    answers = ["", "", "somewhere", "0.0.0.0:2525", "everywhere", "0.0.0.0/0", "192.168.7.0/24"]
    shown = init(tmp_path, *options, answers="\n".join(answers) + "\n")
    assert shown.exit_code == 0, shown.output
    assert "is not an address to listen on" in shown.output
    assert "must be a network such as" in shown.output
    assert "an open relay" in shown.output
    (listener,) = load(tmp_path / "config.toml").smtp.listeners
    assert list(map(str, listener.allow_from)) == ["192.168.7.0/24"]
    silent = init(tmp_path, "--yes", "--force", *options, "--listener", "0.0.0.0:25")
    assert silent.exit_code == 2
    assert "needs --allow-from" in silent.output
