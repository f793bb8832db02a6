"""`[console]` and `[metrics]`: what is refused at the start."""

from pathlib import Path

import pytest

from graphrelay.config import ConfigError, load

ACCOUNT = """
[accounts.website]
scenario = "user"
tenant = "contoso.onmicrosoft.com"
client_id = "00000000-0000-4000-8000-000000000001"
username = "wp@contoso.com"
[accounts.home]
scenario = "personal"
client_id = "00000000-0000-4000-8000-000000000001"
username = "a@outlook.com"
[accounts.azure]
scenario = "any-user"
tenant = "contoso.onmicrosoft.com"
managed_identity = true
mailboxes = ["*@contoso.com"]
[accounts.any]
scenario = "user"
tenant = "organizations"
client_id = "00000000-0000-4000-8000-000000000001"
username = "wp@contoso.com"
[[routes]]
account = "website"
"""
ANNA = """
[[console.microsoft_users]]
username = "anna@contoso.com"
object_id = "00000000-0000-4000-8000-0000000000AB"
"""


def problems(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.toml"
    path.write_text(ACCOUNT + text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    return "\n".join(map(str, caught.value.problems))


def loads(tmp_path: Path, text: str) -> object:
    path = tmp_path / "config.toml"
    path.write_text(ACCOUNT + text, "utf-8")
    return load(path)


@pytest.mark.parametrize("table", ["console", "metrics"])
@pytest.mark.parametrize("address", ["0.0.0.0:9126", "[::]:9126", "relay.contoso.com:9126"])
def test_an_address_that_others_reach_needs_tls_or_a_proxy(
    tmp_path: Path, table: str, address: str
) -> None:
    text = f'[{table}]\naddress = "{address}"\n'
    assert "would cross the network in clear text" in problems(tmp_path, text)
    loads(tmp_path, f'{text}proxy_from = ["192.0.2.1"]\n')
    loads(tmp_path, f'{text}tls = "implicit"\ncertificate_file = "/x.pem"\n')


@pytest.mark.parametrize("table", ["console", "metrics"])
@pytest.mark.parametrize("address", ["127.0.0.1:9126", "[::1]:9126", "unix:/run/x.sock", "off"])
def test_what_only_this_machine_reaches_needs_nothing(
    tmp_path: Path, table: str, address: str
) -> None:
    loads(tmp_path, f'[{table}]\naddress = "{address}"\n')


@pytest.mark.parametrize("table", ["console", "metrics"])
def test_what_nobody_could_use_is_refused(tmp_path: Path, table: str) -> None:
    assert "nobody could connect" in problems(
        tmp_path, f'[{table}]\naddress = "127.0.0.1:9126"\nallow_from = []\n'
    )
    assert "is not an address" in problems(tmp_path, f'[{table}]\naddress = "9126"\n')
    assert "certificate_file" in problems(
        tmp_path, f'[{table}]\naddress = "0.0.0.0:9126"\ntls = "implicit"\n'
    )


def test_what_is_for_an_address_of_its_own_needs_that_address(tmp_path: Path) -> None:
    text = '[metrics]\ntls = "implicit"\ncertificate_file = "/x.pem"\n'
    assert "metrics.tls" in problems(tmp_path, text)
    assert "set address, too" in problems(tmp_path, '[metrics]\nhosts = ["a.example"]\n')


def test_a_microsoft_user_is_named_by_an_id_that_is_never_given_to_another(
    tmp_path: Path,
) -> None:
    text = '[console]\nmicrosoft_account = "website"\n'
    loads(tmp_path, f"{text}{ANNA}")
    found = problems(tmp_path, f'{text}[[console.microsoft_users]]\nusername = "a@contoso.com"\n')
    assert "az ad user show --id a@contoso.com --query id --output tsv" in found
    found = problems(tmp_path, f"{text}{ANNA.replace('00AB', '00XX')}")
    assert "Object ID" in found
    assert "two users with the object_id" in problems(
        tmp_path, f"{text}{ANNA}{ANNA.replace('anna', 'berta').replace('AB', 'ab')}"
    )


def test_they_sign_in_in_the_tenant_of_an_account_that_has_one(tmp_path: Path) -> None:
    assert "microsoft_account" in problems(tmp_path, ANNA)
    for name, said in (
        ("nobody", 'no account is named "nobody"; there is'),
        ("home", "has no app registration in a tenant"),
        ("azure", "has no app registration in a tenant"),
        ("any", "names no tenant"),
    ):
        text = f'[console]\nmicrosoft_account = "{name}"\n{ANNA}'
        assert said in problems(tmp_path, text), name
