"""`graphrelay setup-scope`: PowerShell for Exchange Online, filled in."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from graphrelay.cli import cli

CLIENT = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"
OBJECT = "0b1d7a52-6a0f-4b1c-8a52-3c1f0e6c0c5a"


def shown(directory: Path, *options: str, written: str = "", scenario: str = "") -> Result:
    path = directory / "config.toml"
    path.write_text(
        f"""[accounts.alerts]
scenario = "{scenario or "scoped-users"}"
tenant = "contoso.com"
client_id = "{CLIENT}"
client_secret = "never shown"
{written or 'mailboxes = ["alerts@contoso.com", "info@contoso.com"]'}
""",
        encoding="utf-8",
    )
    return CliRunner().invoke(cli, ["--config", str(path), "setup-scope", "alerts", *options])


def commands(said: Result) -> list[str]:
    """What PowerShell would run."""
    assert said.exit_code == 0, said.output
    return [line for line in said.output.splitlines() if line and not line.startswith("#")]


def test_the_script_names_the_application_its_mailboxes_and_the_role(tmp_path: Path) -> None:
    lines = commands(shown(tmp_path, "--object-id", OBJECT))
    assert lines == [
        "Connect-ExchangeOnline",
        f"$AppId = '{CLIENT}'",
        f"$ObjectId = '{OBJECT}'",
        "New-ServicePrincipal -AppId $AppId -ObjectId $ObjectId -DisplayName 'graphrelay-alerts'",
        "$Filter = \"PrimarySmtpAddress -eq 'alerts@contoso.com' -or "
        "PrimarySmtpAddress -eq 'info@contoso.com'\"",
        "New-ManagementScope -Name 'graphrelay-alerts' -RecipientRestrictionFilter $Filter",
        "Get-Recipient -RecipientPreviewFilter $Filter | Format-Table PrimarySmtpAddress",
        "New-ManagementRoleAssignment -App $ObjectId -Role 'Application Mail.Send' "
        "-CustomResourceScope 'graphrelay-alerts'",
        "Test-ServicePrincipalAuthorization -Identity $ObjectId -Resource 'alerts@contoso.com' "
        "| Format-Table",
        "Test-ServicePrincipalAuthorization -Identity $ObjectId "
        "-Resource '<a mailbox that is outside>' | Format-Table",
    ]


def test_the_object_id_is_that_of_the_enterprise_application_and_it_says_so(tmp_path: Path) -> None:
    said = shown(tmp_path)
    assert "$ObjectId = '<object id of the ENTERPRISE application>'" in said.output
    assert "NOT the Object ID of the app registration" in said.output
    assert "30 minutes to 2 hours" in said.output
    assert "never shown" not in said.output


@pytest.mark.parametrize("key", ["large_messages", "exact_once"])
def test_reading_and_writing_is_granted_only_where_it_is_needed(tmp_path: Path, key: str) -> None:
    written = f'mailboxes = ["alerts@contoso.com"]\n{key} = true'
    assert "Application Mail.ReadWrite" in shown(tmp_path, written=written).output
    assert "Mail.ReadWrite" not in shown(tmp_path).output


def test_a_whole_domain_is_marked_by_an_attribute(tmp_path: Path) -> None:
    written = 'mailboxes = ["a@contoso.com", "*@fabrikam.com"]'
    lines = commands(shown(tmp_path, "--attribute", "CustomAttribute7", written=written))
    (marking,) = (line for line in lines if "Set-Mailbox" in line)
    assert "-like '*@fabrikam.com'" in marking
    assert marking.endswith("Set-Mailbox -CustomAttribute7 'graphrelay-alerts'")
    assert (
        "$Filter = \"PrimarySmtpAddress -eq 'a@contoso.com' -or "
        "CustomAttribute7 -eq 'graphrelay-alerts'\""
    ) in lines


def test_a_group_may_be_the_scope(tmp_path: Path) -> None:
    lines = commands(shown(tmp_path, "--group", "Relay's mailboxes"))
    assert "$Group = (Get-Group -Identity 'Relay''s mailboxes').DistinguishedName" in lines
    assert "$Filter = \"MemberOfGroup -eq '$Group'\"" in lines


def test_a_national_cloud_has_an_exchange_of_its_own(tmp_path: Path) -> None:
    written = 'mailboxes = ["a@contoso.com"]\n[cloud]\nname = "us-gov-dod"'
    lines = commands(shown(tmp_path, written=written))
    assert lines[0] == "Connect-ExchangeOnline -ExchangeEnvironmentName O365USGovDoD"


def test_only_scoped_users_have_a_scope(tmp_path: Path) -> None:
    said = shown(tmp_path, scenario="any-user")
    assert said.exit_code == 1
    assert 'only accounts with "scoped-users"' in said.output


def test_an_unknown_account_names_those_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    shown(tmp_path)
    said = CliRunner().invoke(cli, ["--config", str(path), "setup-scope", "alert"])
    assert said.exit_code == 1
    assert "only alerts" in said.output
