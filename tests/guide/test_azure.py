"""The registration as `az` commands, pasted into a shell."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from graphrelay.oauth.entra.key_pair import load_key_pair
from graphrelay.oauth.scenario import (
    Certificate,
)
from tests.guide.making import APPLICATION, CLIENT, PERSONAL, USER, made

AZ = r"""#!/bin/sh
printf '%s\n' "$*" >>"$AZ_LOG"
case "$*" in *"--query"*) echo "the-id" ;; esac
"""


def pasted(directory: Path, shown: str) -> list[str]:
    """What `az` was called with when the shown commands were pasted into a shell."""
    block = shown.split("(one of the two is enough):")[1].split("written:")[0]
    text = "\n".join(line[2:] for line in block.splitlines())
    text = re.sub(r"<([A-Z]+)>", r"THE-\1", text)  # The values that the admin fills in.
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


def test_the_commands_say_where_admin_consent_is_required(tmp_path: Path) -> None:
    _, shown = made(tmp_path, *USER, "--exact-once")
    assert "# Required: by default only an admin may consent to Mail.ReadWrite." in shown
    assert "Need admin approval" in shown
    assert any("admin-consent" in call for call in pasted(tmp_path, shown))


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
