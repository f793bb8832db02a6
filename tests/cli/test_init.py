"""`graphrelay init`: a configuration that passes, and what has to be done elsewhere for it."""

import grp
import os
import re
import stat
import subprocess
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from graphrelay.cli import cli
from graphrelay.cli.guide.setup import NO_ID
from graphrelay.config import Settings, load
from graphrelay.daemon import wiring
from graphrelay.oauth.entra.credentials import load_key_pair
from graphrelay.oauth.scenario import (
    Account,
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

CLIENT = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"
IDS = ["--tenant", "contoso.com", "--client-id", CLIENT]
USER = ["--scenario", "user", "--username", "wp@contoso.com"]
PERSONAL = ["--scenario", "personal", "--username", "me@outlook.com"]
APPLICATION = ["--mailbox", "info@contoso.com", "--mailbox", "*@contoso.com"]


def init(directory: Path, *options: str, answers: str = "") -> Result:
    path = str(directory / "config.toml")
    return CliRunner().invoke(cli, ["--config", path, "init", *options], input=answers)


def made(directory: Path, *options: str) -> tuple[Settings, str]:
    """The settings that came of it, and what was shown."""
    shown = init(directory, "--yes", *options)
    assert shown.exit_code == 0, shown.output
    path = directory / "config.toml"
    checked = CliRunner().invoke(cli, ["--config", str(path), "check-config"])
    assert checked.exit_code == 0, checked.output
    return load(path), shown.output


def account(settings: Settings) -> Account:
    (only,) = wiring.accounts(settings)
    return only


def end_of_secret(settings: Settings) -> datetime | None:
    scenario = account(settings).scenario
    assert isinstance(scenario, AnyUser)
    assert isinstance(scenario.credential, ClientSecret)
    return scenario.credential.ends_at


# --- What is written -----------------------------------------------------------------------------


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
    match credential:  # Without a word, files stand beside the configuration.
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
    assert account(settings).scenario == SendAsUser("wp@contoso.com", False, True, True)
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


# --- Files ---------------------------------------------------------------------------------------


def test_nobody_else_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    made(tmp_path, *USER, "--state-directory", str(tmp_path / "state"))
    assert stat.S_IMODE((tmp_path / "config.toml").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to a group")
def test_the_service_may_read_what_root_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = grp.getgrnam("nogroup")
    monkeypatch.setattr(grp, "getgrnam", lambda name: {"graphrelay": nobody}[name])
    made(tmp_path, *USER)
    found = (tmp_path / "config.toml").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, 0, nobody.gr_gid)


def test_a_configuration_is_never_overwritten_by_accident(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("mine", encoding="utf-8")
    shown = init(tmp_path, "--yes", *USER)
    assert shown.exit_code == 1
    assert "exists already" in shown.output
    assert path.read_text(encoding="utf-8") == "mine"
    assert init(tmp_path, "--yes", "--force", *USER).exit_code == 0
    assert "wp@contoso.com" in path.read_text(encoding="utf-8")


def test_what_would_not_pass_is_never_written(tmp_path: Path) -> None:
    shown = init(tmp_path, "--yes", *USER, "--listener", "0.0.0.0:25", "--allow-from", "0.0.0.0/0")
    assert shown.exit_code == 1
    assert "smtp.listeners[0].address" in shown.output
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    shown = init(tmp_path / "file" / "below", "--yes", *USER)
    assert shown.exit_code == 1
    assert "cannot be written" in shown.output


# --- Mistakes ------------------------------------------------------------------------------------


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
        ([*USER, "--tenant", "two words"], "--tenant must be one word"),
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


# --- Questions -----------------------------------------------------------------------------------


def test_a_person_is_asked_and_told_what_hangs_on_it(tmp_path: Path) -> None:
    answers = {
        "Which": "user",
        "Name": "",
        "Which cloud": "",
        "Tenant": "contoso.com",
        "User name": "nobody",
        "User name again": "wp@contoso.com",
        "Other mailboxes": "",
        "Send large messages": "",
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


# --- The registration ----------------------------------------------------------------------------

AZ = r"""#!/bin/sh
printf '%s\n' "$*" >>"$AZ_LOG"
case "$*" in *"--query"*) echo "the-id" ;; esac
"""


def pasted(directory: Path, shown: str) -> list[str]:
    """What `az` was called with when the shown commands were pasted into a shell."""
    block = shown.split("(one of the two is enough):")[1].split("written:")[0]
    text = "\n".join(line[2:] for line in block.splitlines())
    text = re.sub(r"<([A-Z]+)>", r"THE-\1", text)  # What only the admin knows.
    programs, log = directory / "programs", directory / "az.log"
    programs.mkdir()
    (programs / "az").write_text(AZ, encoding="utf-8")
    (programs / "az").chmod(0o755)
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", text],
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "AZ_LOG": str(log)},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return log.read_text(encoding="utf-8").splitlines()


MAIL_SEND = "e383f46e-2787-4529-855e-0e479a3ffac0"
MAIL_SEND_ROLE = "b633e1c5-b582-4048-a93e-9f11b44c7e96"


def test_the_commands_for_a_user_ask_for_scopes_and_a_loopback_redirect(tmp_path: Path) -> None:
    _, shown = made(tmp_path, *USER)
    login, create, *rest = pasted(tmp_path, shown)
    assert login == "login --allow-no-subscriptions"
    assert "--sign-in-audience AzureADMyOrg" in create
    assert "--public-client-redirect-uris http://localhost" in create
    assert f"{MAIL_SEND}=Scope" in "\n".join(rest)
    assert "=Role" not in "\n".join(rest)
    assert "credential" not in "\n".join(rest)


def test_the_commands_for_a_personal_account_want_no_consent_of_an_admin(tmp_path: Path) -> None:
    _, shown = made(tmp_path, *PERSONAL)
    called = pasted(tmp_path, shown)
    assert "--sign-in-audience PersonalMicrosoftAccount" in called[1]
    assert not any("admin-consent" in call for call in called)


def test_the_commands_for_any_user_ask_for_the_role_and_a_secret(tmp_path: Path) -> None:
    _, shown = made(tmp_path, "--scenario", "any-user", *APPLICATION, "--credential", "secret")
    called = pasted(tmp_path, shown)
    granted = next(call for call in called if "permission add" in call)
    assert granted.endswith(f"{MAIL_SEND_ROLE}=Role")
    assert any("permission admin-consent --id the-id" in call for call in called)
    assert any("credential reset --id the-id --append" in call for call in called)
    assert "redirect" not in "\n".join(called)


@pytest.mark.parametrize("credential", ["secret", "certificate", "federated", "managed-identity"])
def test_the_commands_for_scoped_users_grant_nothing(tmp_path: Path, credential: str) -> None:
    options = ["--scenario", "scoped-users", *APPLICATION, "--credential", credential]
    _, shown = made(tmp_path, *options)
    called = "\n".join(pasted(tmp_path, shown))
    assert "permission" not in called
    assert "appRoleAssignments" not in called
    assert "grant nothing" in shown.casefold() or "Grant it nothing" in shown
    assert "setup-scope website" in shown


@pytest.mark.parametrize("name", ["app.pem", "app.pfx"])
def test_the_commands_make_a_certificate_whose_key_stays_here(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    options = ["--scenario", "any-user", *APPLICATION, "--certificate-file", str(file)]
    _, shown = made(tmp_path, *options)
    if name == "app.pfx":  # openssl asks for a password, which a pasting person types
        shown = shown.replace("pkcs12 -export", "pkcs12 -export -passout pass:")
    called = pasted(tmp_path, shown)
    (uploaded,) = (call for call in called if "credential reset" in call)
    assert uploaded.endswith("--cert @graphrelay-website.crt --output none")
    assert load_key_pair(Certificate(file)).certificate


@pytest.mark.parametrize("own", [True, False])
def test_the_commands_for_a_managed_identity_assign_the_role_through_graph(
    tmp_path: Path, own: bool
) -> None:
    options = ["--scenario", "any-user", "--credential", "managed-identity", *APPLICATION]
    _, shown = made(tmp_path, *options, *([] if own else ["--client-id", CLIENT]))
    called = pasted(tmp_path, shown)
    body = called[-1].partition("--body ")[2]
    assert f'"appRoleId": "{MAIL_SEND_ROLE}"' in body
    assert '"principalId": "the-id", "resourceId": "the-id"' in body
    assert any(CLIENT in call for call in called) is not own


@pytest.mark.parametrize(
    ("cloud", "first"),
    [("us-gov-high", "AzureUSGovernment"), ("china", "AzureChinaCloud")],
)
def test_a_national_cloud_has_a_portal_and_an_az_of_its_own(
    tmp_path: Path, cloud: str, first: str
) -> None:
    _, shown = made(tmp_path, *USER, "--cloud", cloud)
    assert pasted(tmp_path, shown)[0] == f"cloud set --name {first}"
    assert "entra.microsoft.com" not in shown
