"""Local users, and where their mail goes."""

import os
import pwd
from pathlib import Path

import pytest

from graphrelay.sendmail import local
from graphrelay.sendmail.stop import Stop


@pytest.fixture
def aliases(tmp_path: Path) -> str:
    path = tmp_path / "aliases"
    path.write_text(
        "# who gets what\n"
        "root: admin,\n   second@contoso.com\n"
        "Admin: it@contoso.com\n"
        '"printer": |/bin/lpr, /var/log/printer, :include:/x, "|/bin/x"\n'
        "loop: loop2\nloop2: loop\n"
        "carl: \\carl, carl@example.org\n",
        "utf-8",
    )
    return str(path)


@pytest.fixture
def mail_name(tmp_path: Path) -> str:
    path = tmp_path / "mailname"
    path.write_text("contoso.com\n", "utf-8")
    return str(path)


@pytest.fixture
def no_domain(tmp_path: Path) -> str:
    path = tmp_path / "mailname"
    path.write_text("web1\n", "utf-8")
    return str(path)


def test_aliases_are_followed_to_addresses(aliases: str, no_domain: str) -> None:
    found = local.resolved(["ROOT", "anna@example.org"], aliases, no_domain)
    assert found == ["it@contoso.com", "second@contoso.com", "anna@example.org"]


def test_programs_and_files_receive_nothing(aliases: str, no_domain: str) -> None:
    with pytest.raises(Stop, match="printer"):
        local.resolved(["printer"], aliases, no_domain)


def test_aliases_in_a_circle_end(aliases: str, mail_name: str) -> None:
    (found,) = local.resolved(["loop"], aliases, mail_name)
    assert found.endswith("@contoso.com")


def test_a_backslash_ends_the_search(aliases: str, mail_name: str) -> None:
    found = local.resolved(["carl"], aliases, mail_name)
    assert found == ["carl@contoso.com", "carl@example.org"]


def test_who_is_in_no_alias_belongs_to_the_mail_domain(mail_name: str) -> None:
    assert local.resolved(["anna"], "/nowhere", mail_name) == ["anna@contoso.com"]


def test_without_a_mail_domain_nobody_is_guessed(no_domain: str) -> None:
    with pytest.raises(Stop, match="who gets that mail") as stop:
        local.resolved(["anna"], "/nowhere", no_domain)
    assert stop.value.status == os.EX_NOUSER


def test_who_is_named_twice_receives_once(mail_name: str) -> None:
    assert local.resolved(["a@b", "a@b"], "/nowhere", mail_name) == ["a@b"]


def test_the_sender_is_the_caller_whatever_the_environment_says(
    mail_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, "somebody-else")
    caller = pwd.getpwuid(os.getuid()).pw_name
    assert local.sender_address(None, mail_name) == f"{caller}@contoso.com"


@pytest.mark.parametrize(
    ("given", "sender"),
    [
        ("wp@contoso.com", "wp@contoso.com"),
        ("<wp@contoso.com>", "wp@contoso.com"),
        ("Shop <wp@contoso.com>", "wp@contoso.com"),
        ("root", "root@contoso.com"),
        ("<>", ""),
        ("", ""),
    ],
)
def test_the_sender_is_what_f_says(given: str, sender: str, mail_name: str) -> None:
    assert local.sender_address(given, mail_name) == sender


def test_a_strange_mail_name_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "mailname"
    path.write_text("a b\r\nMAIL FROM:<x>\n", "utf-8")
    assert local.mail_domain(str(path)) == "localhost"
