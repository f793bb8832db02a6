"""What the configuration file may contain, and how mistakes in it are reported."""

import time
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from graphrelay.config import ConfigError, load
from graphrelay.config.settings import AnyUserTable

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.toml"))
EXAMPLE = HERE.parents[1] / "config.example.toml"

SMALL = """
[accounts.site]
scenario = "user"
tenant = "contoso.onmicrosoft.com"
client_id = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"
username = "wp@contoso.com"
"""

APPLICATION = """
[accounts.alerts]
scenario = "any-user"
tenant = "contoso.onmicrosoft.com"
client_id = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"
mailboxes = ["*@contoso.com"]
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_configuration_is_reported_with_exactly_the_expected_lines(path: Path) -> None:
    expected = path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [str(problem) for problem in caught.value.problems] == expected


def test_a_missing_file_says_how_to_create_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file; create it with graphrelay init"):
        load(tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_a_config_error(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(path)


def test_one_account_is_all_that_is_needed(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SMALL))
    assert settings.smtp.listeners[0].address == "127.0.0.1:2525"
    assert settings.smtp.listeners[0].allow_from == [
        ip_network("127.0.0.0/8"),
        ip_network("::1/128"),
    ]
    assert settings.delivery.lifetime == timedelta(days=5)


def test_the_environment_goes_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHRELAY_CLOUD__NAME", "us-gov-high")
    monkeypatch.setenv("GRAPHRELAY_ACCOUNTS__SITE__USERNAME", "info@contoso.com")
    settings = load(written(tmp_path, SMALL + '\n[cloud]\nname = "china"\n'))
    assert settings.cloud.name == "us-gov-high"
    assert settings.accounts["site"].scenario == "user"
    assert settings.accounts["site"].username == "info@contoso.com"


def test_a_secret_may_come_as_a_systemd_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "accounts.alerts.client_secret").write_text("s3cr3t~value\n")
    (credentials / "vault.key").write_bytes(b"\x00\xff\x00")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    account = load(written(tmp_path, APPLICATION)).accounts["alerts"]
    assert isinstance(account, AnyUserTable)
    assert account.client_secret is not None
    assert account.client_secret.get_secret_value() == "s3cr3t~value"


def test_a_secret_is_not_shown_when_the_settings_are(tmp_path: Path) -> None:
    settings = load(written(tmp_path, APPLICATION + 'client_secret = "hush~hush"\n'))
    assert "hush" not in repr(settings)


def test_a_mistake_never_shows_a_secret(tmp_path: Path) -> None:
    bad = APPLICATION + 'client_secret = "hush~hush"\nmanaged_identity = "hush~hush"\n'
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, bad + "client_secrets = 3\n"))
    assert "secret" in str(caught.value)
    assert "client_secret: hush" not in str(caught.value)


def test_nesting_without_end_is_a_mistake_like_others(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"x = {'[' * 5000}")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert "not valid TOML" in caught.value.problems[0].text


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"k{number}.x = 1" for number in range(50_000)),
        "a" + ".a" * 50_000 + " = 1",
        "[a" + ".a" * 50_000 + "]",
        "x = {" + '"a" . ' * 50_000 + "b = 1}",
        "a" * 1_000_000,
    ],
    ids=["many keys", "a deep key", "a deep table", "quoted", "a long word"],
)
def test_50_000_dotted_keys_are_refused_in_time(tmp_path: Path, text: str) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError):
        load(written(tmp_path, text))
    assert time.process_time() - began < 20


def test_the_name_of_an_account_fits_into_the_name_of_a_file(tmp_path: Path) -> None:
    for name in ("a" * 180, "\u00e9" * 30):
        load(written(tmp_path, SMALL.replace("accounts.site", f'accounts."{name}"')))
    for name in ("a" * 300, "\u00e9" * 31, " a"):
        with pytest.raises(ConfigError, match="up to 60 printable"):
            load(written(tmp_path, SMALL.replace("accounts.site", f'accounts."{name}"')))


def test_a_key_of_many_parts_is_named_before_it_is_parsed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 2: a key of more than 50 parts"):
        load(written(tmp_path, "[log]\na" + ".a" * 60 + " = 1\n"))


def test_a_file_without_an_end_is_refused_as_too_large() -> None:
    with pytest.raises(ConfigError, match="/dev/zero: cannot be read: larger than 1 MiB"):
        load(Path("/dev/zero"))


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(SMALL, encoding="utf-8-sig")
    assert load(path).accounts["site"].client_id
