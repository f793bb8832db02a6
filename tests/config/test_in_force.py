"""The configuration in effect: every key, its value, and where it comes from; never a secret."""

from pathlib import Path

import pytest

from graphrelay.config import load
from graphrelay.config.in_force import KeyInForce, in_force, read
from graphrelay.config.load import Files

TEXT = """state_directory = "/srv/relay"
[[smtp.listeners]]
address = "127.0.0.1:2526"
[[smtp.users]]
name = "scanner"
password_hash = "$scrypt$ln=14,r=8,p=5$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
[cloud]
proxy = "http://user:hunter2@proxy.contoso.com:3128"
[accounts.alerts]
scenario = "any-user"
tenant = "contoso.com"
client_id = "c"
mailboxes = ["wp@contoso.com"]
client_secret = "hunter3"
user_ids = { "wp@contoso.com" = "wp@other.example" }
"""


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, KeyInForce]:
    monkeypatch.setenv("GRAPHRELAY_LOG__LEVEL", "debug")
    file = tmp_path / "config.toml"
    file.write_text(TEXT, "utf-8")
    environment = {"GRAPHRELAY_LOG__LEVEL": "debug"}
    return {one.key: one for one in in_force(load(file), read(file), environment)}


def test_each_value_says_where_it_comes_from(keys: dict[str, KeyInForce]) -> None:
    def said(key: str) -> tuple[str, str]:
        return keys[key].value, keys[key].source

    assert said("smtp.listeners[0].address") == ('"127.0.0.1:2526"', "line 3")
    assert said("smtp.listeners[0].tls") == ('"off"', "default")
    assert said("log.level") == ('"debug"', "GRAPHRELAY_LOG__LEVEL of the environment")
    assert said("log.keep") == ("7,776,000 s", "default")
    assert said("cloud.ca_file") == ("unset", "default")
    assert said("accounts.alerts.managed_identity") == ("false", "default")
    assert said("accounts.alerts.mailboxes") == ('["wp@contoso.com"]', "line 13")
    assert said("accounts.alerts.user_ids") == ('{"wp@contoso.com": "wp@other.example"}', "line 15")


def test_no_secret_is_shown(keys: dict[str, KeyInForce]) -> None:
    assert keys["accounts.alerts.client_secret"].value == "(a secret)"
    assert keys["smtp.users[0].password_hash"].value == "(a secret)"
    assert keys["cloud.proxy"].value == '"http://…@proxy.contoso.com:3128"'
    assert "hunter" not in str(keys)
    assert "scrypt" not in str(keys)


def test_a_file_that_is_gone_names_no_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "gone.toml") == Files("", ())
    assert read(None) == Files("", ())


def test_a_key_of_an_account_file_names_that_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    main, own = TEXT.split("[accounts.alerts]")
    file.write_text(main, "utf-8")
    (tmp_path / "accounts.d").mkdir()
    (tmp_path / "accounts.d" / "alerts.toml").write_text(f"[accounts.alerts]{own}", "utf-8")
    found = {one.key: one.source for one in in_force(load(file), read(file), {})}
    assert found["accounts.alerts.tenant"] == "accounts.d/alerts.toml, line 3"
    assert found["cloud.proxy"] == "line 8"
