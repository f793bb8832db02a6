"""From settings to values: accounts and their credentials."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from graphrelay.config import load
from graphrelay.daemon import wiring
from graphrelay.oauth.scenario import (
    AccountOptions,
    AnyUser,
    Certificate,
    ClientSecret,
    Credential,
    FederatedToken,
    ManagedIdentity,
    ScopedUsers,
    SecretFile,
    SecretText,
)

CLIENT = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"
WRITTEN: list[tuple[str, Credential]] = [
    ('client_secret = "s"', ClientSecret(SecretText("s"))),
    ('client_secret_file = "/s"', ClientSecret(SecretFile(Path("/s")))),
    ('certificate_file = "/c"', Certificate(Path("/c"))),
    (
        'certificate_file = "/c"\ncertificate_key_file = "/k"\ncertificate_password = "p"',
        Certificate(Path("/c"), Path("/k"), SecretText("p")),
    ),
    (
        'certificate_file = "/c"\ncertificate_password_file = "/p"',
        Certificate(Path("/c"), passphrase=SecretFile(Path("/p"))),
    ),
    ("managed_identity = true", ManagedIdentity(CLIENT)),
    ('federated_token_file = "/t"', FederatedToken(Path("/t"))),
]


def configuration(directory: Path, written: str, scenario: str = "any-user") -> Path:
    path = directory / "config.toml"
    path.write_text(
        f"""[accounts.alerts]
scenario = "{scenario}"
tenant = "contoso.com"
mailboxes = ["*@contoso.com"]
{written}
""",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize(("written", "credential"), WRITTEN)
def test_each_credential_is_taken_as_written(
    tmp_path: Path, written: str, credential: Credential
) -> None:
    text = f'client_id = "{CLIENT}"\n{written}'
    (account,) = wiring.accounts(load(configuration(tmp_path, text)))
    assert account.scenario == AnyUser(credential)
    (account,) = wiring.accounts(load(configuration(tmp_path, text, "scoped-users")))
    assert account.scenario == ScopedUsers(credential)


@pytest.mark.parametrize("option", ["large_messages", "exact_once", "bounces"])
@pytest.mark.parametrize("scenario", ["any-user", "scoped-users", "user", "personal"])
def test_each_option_is_taken_over(tmp_path: Path, scenario: str, option: str) -> None:
    delegated = scenario in ("user", "personal")
    who = 'username = "a@contoso.com"' if delegated else 'client_secret = "s"'
    text = f'client_id = "{CLIENT}"\n{who}\n{option} = true'
    path = configuration(tmp_path, text, scenario)
    if delegated:
        path.write_text(path.read_text("utf-8").replace('mailboxes = ["*@contoso.com"]\n', ""))
    if scenario == "personal":
        path.write_text(path.read_text("utf-8").replace('tenant = "contoso.com"\n', ""))
    (account,) = wiring.accounts(load(path))
    assert account.options == AccountOptions(**{option: True})


def test_the_machine_s_own_identity_has_no_client_id(tmp_path: Path) -> None:
    (account,) = wiring.accounts(load(configuration(tmp_path, "managed_identity = true")))
    assert account.scenario == AnyUser(ManagedIdentity())


@pytest.mark.parametrize("kept", ['client_secret = "s"', 'client_secret_file = "/s"'])
def test_the_end_of_a_secret_is_known_where_it_was_written_down(tmp_path: Path, kept: str) -> None:
    text = f'client_id = "{CLIENT}"\n{kept}\n'
    assert end_of_secret(tmp_path, text) is None
    text += 'client_secret_expires = "2027-11-01"'
    assert end_of_secret(tmp_path, text) == datetime(2027, 11, 1, tzinfo=UTC)


def end_of_secret(directory: Path, written: str) -> datetime | None:
    (account,) = wiring.accounts(load(configuration(directory, written)))
    assert isinstance(account.scenario, AnyUser)
    assert isinstance(account.scenario.credential, ClientSecret)
    return account.scenario.credential.ends_at
