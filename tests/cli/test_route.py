"""`graphrelay route`: which route, why not the others, and the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from graphrelay.cli import cli
from tests.e2e.commands import graphrelay
from tests.smtp.passwords import quick_hash
from tests.world import world

ACCOUNTS = f"""
[[smtp.listeners]]
address = "127.0.0.1:2525"
[[smtp.listeners]]
address = "127.0.0.1:2526"

[[smtp.users]]
name = "scanner"
password_hash = "{quick_hash("secret")}"
senders = ["scanner@contoso.com"]

[accounts.website]
scenario = "user"
tenant = "contoso.onmicrosoft.com"
client_id = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"
username = "wp@contoso.com"
mailboxes = ["wp@contoso.com", "info@contoso.com"]
"""
ROUTES = """
[[routes]]
name = "invoices"
header = ["Subject: *invoice*"]
account = "website"
mailbox = "info@contoso.com"
reply_to = "service@contoso.com"
subject_prefix = "[shop]"

[[routes]]
name = "scans"
login = ["scanner"]
account = "website"

[[routes]]
name = "second"
listener = ["127.0.0.1:2526"]
client = ["192.168.7.0/24"]
account = "website"
redirect_to = "me@contoso.com"
content = "json"
save_to_sent_items = false
invitations = "mime"

[[routes]]
name = "inside"
recipient = ["*@contoso.com"]
sender = ["*@contoso.com", "<>"]
account = "website"
"""
WP = ("--from", "wp@contoso.com")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(ACCOUNTS + ROUTES, encoding="utf-8")
    return path


def route(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(config), "route", *arguments])


def events(config: Path, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in route(config, *arguments, "--json").output.splitlines()]


def test_it_says_which_route_and_why_not_the_earlier_ones(config: Path) -> None:
    found = route(config, *WP, "--to", "you@contoso.com")
    assert found.exit_code == 0
    assert found.output.splitlines() == [
        "you@contoso.com",
        "  invoices: no: header Subject is absent, not *invoice*",
        "  scans: no: login is none, not scanner",
        "  second: no: listener is 127.0.0.1:2525, not 127.0.0.1:2526",
        "  inside: yes",
        "route inside: you@contoso.com",
        "  account website, mailbox wp@contoso.com",
        "  From is unchanged",
    ]


def test_it_says_what_the_route_makes_of_the_mail(config: Path) -> None:
    found = route(
        config,
        *("--from", "root@host.example", "--to", "you@example.org"),
        *("--header", "subject: =?utf-8?q?Your_invoice?="),
    )
    assert found.output.splitlines() == [
        "you@example.org",
        "  invoices: yes",
        "route invoices: you@example.org",
        "  account website, mailbox info@contoso.com",
        "  From becomes info@contoso.com",
        "  Reply-To becomes service@contoso.com",
        "  the subject begins with [shop]",
    ]
    assert events(
        config,
        *(*WP, "--to", "a@b.example", "--client", "192.168.7.3", "--listener", "127.0.0.1:2526"),
    )[-1] == {
        "kind": "plan",
        "route": "second",
        "account": "website",
        "mailbox": "wp@contoso.com",
        "from": None,
        "reply_to": None,
        "replies_nowhere": "",
        "subject_prefix": "",
        "redirect_to": "me@contoso.com",
        "content": "json",
        "save_to_sent_items": False,
        "invitations": "mime",
        "recipients": ["a@b.example"],
    }


def test_what_no_route_takes_is_refused_with_exit_code_1(config: Path) -> None:
    found = route(config, *WP, "--to", "you@example.org", "--to", "you@contoso.com")
    assert found.exit_code == 1
    assert "  inside: no: recipient is you@example.org, not *@contoso.com\n" in found.output
    assert found.output.splitlines()[-1].startswith("refused: 550 5.7.1 No route takes mail from ")


@pytest.mark.parametrize(
    ("sender", "fields"),
    [
        ("boss@contoso.com", ()),
        ("scanner@contoso.com", ("From: boss@contoso.com",)),
        ("scanner@contoso.com", ("From: scanner@contoso.com", "From: boss@contoso.com")),
        ("scanner@contoso.com", ("Sender: boss@contoso.com",)),
        ("<>", ("From: boss@contoso.com",)),
        ("<>", ()),
    ],
)
def test_a_refusal_names_the_rule(config: Path, sender: str, fields: tuple[str, ...]) -> None:
    given = [part for one in fields for part in ("--header", one)]
    found = route(config, *("--from", sender, "--to", "a@b.example", "--login", "scanner"), *given)
    assert found.exit_code == 1
    assert "refused: 550 5.7.1 Login 'scanner' m" in found.output
    assert "scanner@contoso.com" in found.output.splitlines()[-1]


def test_a_limited_login_goes_as_itself(config: Path) -> None:
    who = ("--from", "scanner@contoso.com", "--login", "scanner")
    found = events(config, *who, "--to", "a@b.example")
    assert found[0]["routes"][-1] == {"route": "scans", "why_not": None}


def test_no_sender_at_all_is_a_sender_too(config: Path) -> None:
    found = events(config, "--from", "<>", "--to", "you@contoso.com")
    assert found[-1]["route"] == "inside"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--login", "nobody"), "there is no user 'nobody' in [[smtp.users]], only scanner"),
        (("--listener", "x:1"), "there is no listener x:1, only 127.0.0.1:2525, 127.0.0.1:2526"),
        (("--header", "no field"), "--header needs a field"),
        (("--header", "Subject: x\r\nFrom: y@z"), "--header needs a field"),
    ],
)
def test_what_does_not_exist_is_named(config: Path, more: tuple[str, ...], said: str) -> None:
    found = route(config, *WP, "--to", "a@b.example", *more)
    assert found.exit_code == 1
    assert said in found.output


async def test_it_answers_beside_a_running_relay_too(tmp_path: Path) -> None:
    async with world(tmp_path, authorized=False) as here:
        found = await graphrelay(here.config, "route", *WP, "--to", "a@b.example", "--json")
    assert found.code == 0
    assert [event["kind"] for event in found.events] == ["recipient", "plan"]
    assert found.events[0]["routes"] == [{"route": "default", "why_not": None}]


def test_replies_to_an_address_that_cannot_exist_are_advised_a_reply_to(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(ACCOUNTS, encoding="utf-8")
    common = ["--config", str(path), "route", "--to", "a@example.org", "--from"]
    shown = CliRunner().invoke(cli, [*common, "wordpress@localhost.invalid"])
    assert "replies would go to wordpress@localhost.invalid, which cannot exist" in shown.output
    assert "set reply_to" in shown.output
    assert "replies" not in CliRunner().invoke(cli, [*common, "shop@fabrikam.com"]).output
