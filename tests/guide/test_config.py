"""The configuration that `init` writes: what was decided, and why."""

import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from graphrelay.cli import cli
from graphrelay.daemon import wiring
from graphrelay.guide.setup import NO_ID
from graphrelay.oauth.scenario import (
    Account,
    AccountOptions,
    AnyUser,
    Certificate,
    ClientSecret,
    Credential,
    FederatedToken,
    ManagedIdentity,
    Personal,
    ScopedUsers,
    SecretFile,
    SendAsUser,
)
from tests.guide.making import (
    APPLICATION,
    CLIENT,
    IDS,
    PERSONAL,
    USER,
    account,
    end_of_secret,
    made,
)


def test_a_user_signs_in_with_no_more_than_a_name(tmp_path: Path) -> None:
    settings, _ = made(tmp_path, *USER, *IDS)
    assert account(settings) == Account(
        "website", "contoso.com", CLIENT, SendAsUser("wp@contoso.com")
    )
    assert [one.address for one in settings.smtp.listeners] == ["127.0.0.1:2525"]


def test_other_mailboxes_of_a_user_join_their_own(tmp_path: Path) -> None:
    settings, shown = made(tmp_path, *USER, *IDS, "--mailbox", "info@contoso.com")
    found = account(settings)
    assert found.mailboxes == ("wp@contoso.com", "info@contoso.com")
    assert found.scenario == SendAsUser("wp@contoso.com", shared=True)
    assert "Mail.Send.Shared" in shown
    assert "Send As" in shown


def test_a_personal_account_has_no_tenant(tmp_path: Path) -> None:
    settings, shown = made(tmp_path, *PERSONAL, "--client-id", CLIENT, "--account", "mine")
    assert account(settings) == Account("mine", "", CLIENT, Personal("me@outlook.com"))
    assert "Personal Microsoft accounts only" in shown
    assert "tenant" not in shown.split("written:")[0].casefold()


CREDENTIALS: list[tuple[list[str], Credential]] = [
    ([], Certificate(Path("website.pem"))),
    (
        ["--certificate-file", "/c.crt", "--certificate-key-file", "/c.key"],
        Certificate(Path("/c.crt"), Path("/c.key")),
    ),
    (
        ["--certificate-file", "/c.pfx", "--certificate-password-file", "/p"],
        Certificate(Path("/c.pfx"), passphrase=SecretFile(Path("/p"))),
    ),
    (["--credential", "secret"], ClientSecret(SecretFile(Path("website.secret")))),
    (["--client-secret-file", "/s"], ClientSecret(SecretFile(Path("/s")))),
    (["--credential", "managed-identity"], ManagedIdentity(CLIENT)),
    (["--federated-token-file", "/t"], FederatedToken(Path("/t"))),
]


@pytest.mark.parametrize("scenario", [AnyUser, ScopedUsers])
@pytest.mark.parametrize(("options", "credential"), CREDENTIALS, ids=lambda case: str(case)[:40])
def test_an_application_proves_itself_as_was_said(
    tmp_path: Path,
    options: list[str],
    credential: Credential,
    scenario: type[AnyUser | ScopedUsers],
) -> None:
    name = "any-user" if scenario is AnyUser else "scoped-users"
    settings, _ = made(tmp_path, "--scenario", name, *IDS, *APPLICATION, *options)
    match credential:  # By default, files are beside the configuration.
        case Certificate(path) if not path.is_absolute():
            credential = Certificate(tmp_path / path)
        case ClientSecret(SecretFile(path)) if not path.is_absolute():
            credential = ClientSecret(SecretFile(tmp_path / path))
    assert account(settings) == Account(
        "website",
        "contoso.com",
        CLIENT,
        scenario(credential),
        ("info@contoso.com", "*@contoso.com"),
    )
    assert settings.routes == []


def test_the_machine_s_own_identity_needs_no_ids(tmp_path: Path) -> None:
    settings, shown = made(
        tmp_path, "--scenario", "any-user", "--credential", "managed-identity", *APPLICATION
    )
    assert account(settings).client_id == ""
    assert "System assigned" in shown
    assert "App registrations" not in shown


def test_everything_else_that_can_be_said_is_written(tmp_path: Path) -> None:
    options = ["--large-messages", "--exact-once", "--listener", "192.168.7.10:25"]
    options += ["--allow-from", "192.168.7.0/24", "--cloud", "custom"]
    options += ["--login-url", "https://login.example", "--graph-url", "https://graph.example:8443"]
    options += ["--ca-file", "/ca.pem", "--proxy", "http://proxy:3128"]
    options += ["--state-directory", str(tmp_path / "stäte")]
    settings, shown = made(tmp_path, *USER, *IDS, *options)
    assert account(settings).scenario == SendAsUser("wp@contoso.com", shared=False)
    assert account(settings).options == AccountOptions(large_messages=True, exact_once=True)
    assert settings.smtp.listeners[0].address == "192.168.7.10:25"
    assert list(map(str, settings.smtp.listeners[0].allow_from)) == ["192.168.7.0/24"]
    assert wiring.cloud(settings.cloud).graph_url == "https://graph.example:8443"
    assert (settings.cloud.ca_file, settings.cloud.proxy) == (Path("/ca.pem"), "http://proxy:3128")
    assert settings.state_directory == tmp_path / "stäte"
    assert "Mail.ReadWrite" in shown


def test_the_day_on_which_a_secret_ends_is_noted(tmp_path: Path) -> None:
    options = ["--client-secret-file", "/s", "--client-secret-expires", "2027-11-01"]
    settings, _ = made(tmp_path, "--scenario", "any-user", *IDS, *APPLICATION, *options)
    assert end_of_secret(settings) == datetime(2027, 11, 1, tzinfo=UTC)


def test_each_key_has_its_why_in_the_line_before(tmp_path: Path) -> None:
    made(tmp_path, "--scenario", "scoped-users", *IDS, *APPLICATION, "--exact-once")
    lines = (tmp_path / "config.toml").read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        if re.match(r"\w+ = ", line) and not line.startswith("address ="):
            assert before.startswith("# "), line


def test_ids_that_are_not_known_yet_are_asked_for_at_the_end(tmp_path: Path) -> None:
    settings, shown = made(tmp_path, *USER)
    assert account(settings).client_id == account(settings).tenant == NO_ID
    assert "put the ids of the app registration into" in shown


def test_a_sender_at_the_initial_domain_is_warned_of(tmp_path: Path) -> None:
    options = ["--scenario", "user", "--username", "wp@contoso.onmicrosoft.com", *IDS]
    assert "100 external recipients a day" in made(tmp_path, *options)[1]
    path = str(tmp_path / "config.toml")
    checked = CliRunner().invoke(cli, ["--config", path, "check-config"])
    assert "wp@contoso.onmicrosoft.com: use an address" in checked.output
