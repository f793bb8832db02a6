"""What is doubtful in a configuration that can be used."""

import os
from datetime import date
from pathlib import Path

import pytest

from graphrelay.config import load, warnings
from graphrelay.file_access import FileUser

TODAY = date(2026, 11, 30)
ROOT = FileUser("root", 0, frozenset())
PERSON = FileUser("graphrelay", 4242, frozenset({4242}))
ID = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"
SOUND = {
    "scenario": '"any-user"',
    "tenant": '"contoso.com"',
    "client_id": f'"{ID}"',
    "mailboxes": '["wp@contoso.com"]',
    "managed_identity": "true",
}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def doubts(folder: Path, rest: str = "", user: FileUser = ROOT, /, **keys: str) -> list[str]:
    """Of an account with these keys in place of sound ones; an empty one is left out."""
    lines = [f"{key} = {value}" for key, value in (SOUND | keys).items() if value]
    path = folder / "config.toml"
    path.write_text("\n".join(["[accounts.site]", *lines, rest]), "utf-8")
    path.chmod(0o600)
    return [str(one) for one in warnings(path, load(path), user, TODAY)]


def test_nothing_is_said_of_a_sound_configuration(tmp_path: Path) -> None:
    assert doubts(tmp_path) == []


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("client_id", '"00000000-0000-0000-0000-000000000000"', "client_id: is a placeholder"),
        ("client_id", '"my-app"', "client_id: is not an id such as"),
        ("tenant", '"contoso"', 'tenant: "contoso" is neither a domain'),
        ("tenant", '"11111111-1111-1111-1111-111111111111"', "tenant: is a placeholder"),
        ("mailboxes", '["wp@contoso.onmicrosoft.com"]', "100 external recipients a day"),
    ],
)
def test_an_id_that_is_none_is_named_with_its_line(
    tmp_path: Path, key: str, value: str, text: str
) -> None:
    (said,) = doubts(tmp_path, **{key: value})
    assert said.startswith(f"line {list(SOUND).index(key) + 2}: accounts.site.")
    assert text in said


def test_a_shared_tenant_is_none_of_theirs(tmp_path: Path) -> None:
    user = {"scenario": '"user"', "mailboxes": "", "managed_identity": ""}
    user |= {"username": '"wp@contoso.com"', "tenant": '"common"'}
    assert '"common" is no tenant of yours' in doubts(tmp_path, **user)[0]


def test_a_secret_that_has_expired(tmp_path: Path) -> None:
    keys = {"managed_identity": "", "client_secret": '"s3cret-value"'}
    assert doubts(tmp_path, **keys, client_secret_expires="2026-12-01") == []
    (said,) = doubts(tmp_path, **keys, client_secret_expires="2026-11-30")
    assert "client_secret_expires: the secret expired on 2026-11-30" in said


LISTENER = '[[smtp.listeners]]\naddress = "{}"\n'


@pytest.mark.parametrize(
    ("rest", "text"),
    [
        (LISTENER.format("127.0.0.1:25") * 2, "[1].address: 127.0.0.1:25 is also that of smtp"),
        (LISTENER.format("0.0.0.0:25"), "allow_from: lets in this machine only, though"),
        (LISTENER.format("127.0.0.1:25") + 'auth = "required"', 'auth: "required", but there'),
        ('[spool]\nrequest_limit = "60s"', "a request may take 230 s; with less"),
        ('[control]\nsocket = "/run/x"\ngroup = "nobodys"', "there is no group nobodys"),
        ('[[routes]]\naccount = "site"\nsender = ["contoso.com"]', 'write "*@contoso.com"'),
        ('[[routes]]\naccount = "site"\nrecipient = ["@a.org"]', 'write "*@a.org"'),
        ('[[routes]]\naccount = "site"\nsender = ["a@a.org, b@a.org"]', "one address or pattern"),
    ],
)
def test_what_cannot_be_meant_so(tmp_path: Path, rest: str, text: str) -> None:
    (said,) = doubts(tmp_path, rest)
    assert text in said


@pytest.mark.parametrize(
    "rest",
    [
        LISTENER.format("127.0.0.1:0") * 2,
        LISTENER.format("0.0.0.0:25") + 'allow_from = ["192.168.7.0/24"]',
        LISTENER.format("[::1]:25") + LISTENER.format("unix:/run/smtp.sock"),
        '[[routes]]\naccount = "site"\nsender = ["<>", "root", "*@contoso.com", "s?*"]',
    ],
)
def test_what_can_be_meant_so(tmp_path: Path, rest: str) -> None:
    assert doubts(tmp_path, rest) == []


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (0o600, "graphrelay, who runs the relay, may not read it"),
        (0o644, "every user of this machine may read this secret; chmod o-rwx"),
    ],
)
def test_files_are_looked_at_as_the_service_sees_them(tmp_path: Path, mode: int, text: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("value")
    secret.chmod(mode)
    keys = {"managed_identity": "", "client_secret_file": f'"{secret}"'}
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(0o755)
    said = [one for one in doubts(tmp_path, "", PERSON, **keys) if str(secret) in one]
    assert len(said) == 1
    assert text in said[0]


def test_a_file_that_is_missing_or_no_certificate(tmp_path: Path) -> None:
    file = tmp_path / "app.pem"
    keys = {"managed_identity": "", "certificate_file": f'"{file}"'}
    assert doubts(tmp_path, **keys) == [
        f"line 6: accounts.site.certificate_file: {file}: no such file"
    ]
    file.write_text("-----BEGIN PRIVATE KEY-----")
    assert "holds no certificate in PEM" in doubts(tmp_path, **keys)[0]


def test_a_credential_of_systemd_is_seen_by_the_service_alone(tmp_path: Path) -> None:
    path = "/run/credentials/graphrelay.service/app.pem"
    assert doubts(tmp_path, managed_identity="", certificate_file=f'"{path}"') == []


def test_a_configuration_with_a_secret_that_everybody_may_read(tmp_path: Path) -> None:
    doubts(tmp_path, managed_identity="", client_secret='"s3cret-value"')
    path = tmp_path / "config.toml"
    path.chmod(0o644)
    (said,) = warnings(path, load(path), ROOT, TODAY)
    assert str(said) == (
        f"it contains secrets, and every user of this machine may read it; chmod o-rwx {path}"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's files are denied to somebody")
def test_a_configuration_that_the_service_may_not_read(tmp_path: Path) -> None:
    assert "graphrelay, who runs the relay, may not read this file" in doubts(tmp_path, "", PERSON)


def test_a_proxy_of_the_environment_is_not_used_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    (said,) = doubts(tmp_path)
    assert said == (
        "cloud.proxy: https_proxy is set, and is not used; if a proxy is needed, set it here"
    )
    assert doubts(tmp_path, '[cloud]\nproxy = "http://proxy:3128"') == []


def test_a_configuration_without_an_account_says_what_happens_to_mail(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("", "utf-8")
    (said,) = map(str, warnings(path, load(path), ROOT, TODAY))
    assert said.startswith("accounts: no account is configured, so every message is refused for ")


def test_the_file_of_an_account_is_checked_as_the_main_one_is(tmp_path: Path) -> None:
    assert doubts(tmp_path) == []
    other = tmp_path / "accounts.d" / "other.toml"
    other.parent.mkdir()
    keys = {**SOUND, "managed_identity": "false", "client_secret": '"geheim"', "client_id": '"x"'}
    text = ["[accounts.other]", *(f"{key} = {value}" for key, value in keys.items())]
    other.write_text("\n".join(text), "utf-8")
    other.chmod(0o644)
    path = tmp_path / "config.toml"
    path.write_text(f'{path.read_text("utf-8")}[[routes]]\naccount = "site"\n', "utf-8")
    path.chmod(0o644)
    said = [str(one) for one in warnings(path, load(path), ROOT, TODAY)]
    assert said == [
        f"accounts.d/other.toml: it contains secrets, and every user of this machine may read it; "
        f"chmod o-rwx {other}",
        "accounts.d/other.toml, line 4: accounts.other.client_id: is not an id such as "
        "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d; copy Application (client) ID from the app "
        "registration",
    ]
