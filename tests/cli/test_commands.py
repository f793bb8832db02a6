"""The command line as programs call it: what it prints, and its exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from graphrelay.cli import cli
from tests.bus import systemd_in
from tests.tools import needs

VERBS = [
    ["serve"],
    ["demo"],
    ["console"],
    ["sandbox"],
    ["init"],
    ["setup-scope"],
    ["authorize"],
    ["status"],
    ["revoke"],
    ["vault"],
    ["vault", "list"],
    ["vault", "rotate"],
    ["vault", "move"],
    ["send-test"],
    ["teach-headers"],
    ["route"],
    ["queue"],
    ["queue", "list"],
    ["queue", "show"],
    ["queue", "retry"],
    ["queue", "hold"],
    ["queue", "release"],
    ["queue", "delete"],
    ["log"],
    ["spool"],
    ["spool", "init"],
    ["spool", "copy"],
    ["lanes"],
    ["alert-test"],
    ["check-config"],
    ["files"],
    ["hash-password"],
]


def run(*arguments: str, answer: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "graphrelay", *arguments],
        capture_output=True,
        text=True,
        input=answer,
        timeout=60,
        check=False,
        env=os.environ | {"COLUMNS": "120"},
    )


def configured(directory: Path) -> str:
    """A configuration whose cloud does not answer."""
    path = directory / "config.toml"
    path.write_text(
        f"""state_directory = "{directory / "state"}"
[[smtp.listeners]]
address = "127.0.0.1:0"
[cloud]
name = "custom"
login_url = "https://localhost:1"
graph_url = "https://localhost:1"
[accounts.website]
scenario = "user"
tenant = "contoso.onmicrosoft.com"
client_id = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"
username = "wp@contoso.com"
[vault]
backend = "file"
""",
        encoding="utf-8",
    )
    return str(path)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_teaches_itself(verb: list[str]) -> None:
    shown = run(*verb, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "Usage: graphrelay" in shown.stdout
    assert len(shown.stdout.splitlines()) > 5


def test_help_lists_every_verb_and_imports_none() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    for verb in {verb[0] for verb in VERBS}:
        assert f"  {verb} " in shown.stdout
    code = "import sys; sys.argv = ['graphrelay', '--help']\n"
    code += "from graphrelay.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "print([name for name in ('pydantic', 'aiosmtpd', 'msal') if name in sys.modules])"
    listed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert listed.stdout.endswith("[]\n")


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The service is installed, with a secret and the vault's key as credentials; its state is
    here."""
    needs("busctl")
    credentials = [("accounts.website.client_secret", "/etc/graphrelay/secret"), ("vault.key", "")]
    handed = {
        "StateDirectory": ("as", [str(tmp_path / "graphrelay")]),
        "LoadCredential": ("a(ss)", credentials),
    }
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with systemd_in(tmp_path, handed) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield


def application(directory: Path, secret: str) -> str:
    path = Path(configured(directory))
    text = path.read_text("utf-8").replace("/state", "/graphrelay")
    person = ('"user"', 'username = "wp@contoso.com"')
    machine = ('"any-user"', f'mailboxes = ["wp@contoso.com"]\n{secret}')
    for old, new in zip(person, machine, strict=True):
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.usefixtures("unit")
def test_a_secret_that_systemd_hands_to_the_service_is_not_missing(tmp_path: Path) -> None:
    config = application(tmp_path, "")
    shown = CliRunner().invoke(cli, ["--config", config, "check-config"])
    assert shown.exit_code == 0, shown.output
    assert "accounts.website.client_secret: a systemd credential of the service" in shown.output
    asked = CliRunner().invoke(cli, ["--config", config, "authorize", "website"])
    assert asked.exit_code == 1
    assert "Run: sudo systemctl start graphrelay" in asked.output


@pytest.mark.usefixtures("unit")
def test_other_mistakes_are_reported_all_the_same(tmp_path: Path) -> None:
    shown = CliRunner().invoke(
        cli, ["--config", application(tmp_path, "colour = 1"), "check-config"]
    )
    assert shown.exit_code == 78
    assert "unknown key" in shown.output


@pytest.mark.usefixtures("unit")
def test_no_second_key_is_made_for_a_service_that_is_handed_one(tmp_path: Path) -> None:
    config = application(tmp_path, 'client_secret = "a-secret"')
    for verb in (["status"], ["vault", "list"]):
        shown = CliRunner().invoke(cli, ["--config", config, *verb])
        assert shown.exit_code == 1
        assert "sudo systemctl start graphrelay" in shown.output
    assert not (tmp_path / "graphrelay" / "vault.key").exists()


def test_an_unknown_verb_is_a_usage_error() -> None:
    shown = run("frobnicate")
    assert shown.returncode == 2
    assert "No such command 'frobnicate'." in shown.stderr
    assert "No such command 'stauts'. Did you mean 'status'?" in run("stauts").stderr


def test_output_that_nobody_takes_ends_without_a_traceback() -> None:
    full = "graphrelay: the output could not be written: No space left on device\n"
    for target, said in (("| true", ""), (">/dev/full", full), (">&-", "")):
        shown = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m graphrelay --help {target}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert shown.stderr == said


@pytest.mark.parametrize(
    "line",
    [
        ["sandbox", "--port", "65536"],
        ["sandbox", "--page-port", "-1"],
        ["sandbox", "--request-limit", "0"],
        ["demo", "--smtp-port", "99999"],
        ["demo", "--console-port", "99999"],
    ],
    ids=" ".join,
)
def test_a_number_that_is_no_port_is_a_usage_error(line: list[str]) -> None:
    shown = run(*line)
    assert (shown.returncode, "Traceback" in shown.stderr) == (2, False)
    assert "is not in the range" in shown.stderr


def test_status_without_a_daemon_answers_no_and_what_to_run(tmp_path: Path) -> None:
    shown = run("--config", configured(tmp_path), "status", "--json")
    assert shown.returncode == 1
    status, relay = map(json.loads, shown.stdout.splitlines())
    assert (relay["kind"], relay["running"]) == ("relay", False)
    assert status["status"] == "Unauthorized"
    assert "graphrelay authorize website" in status["remedy"]


def test_an_unreachable_cloud_is_a_sentence_and_a_no(tmp_path: Path) -> None:
    shown = run("--config", configured(tmp_path), "authorize", "website", "--device")
    assert shown.returncode == 1
    assert "cannot be reached" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_an_unknown_account_names_those_that_there_are(tmp_path: Path) -> None:
    shown = run("--config", configured(tmp_path), "authorize", "webseite")
    assert shown.returncode == 1
    assert "there is no account 'webseite', only website" in shown.stderr


def test_an_empty_queue_says_so(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert run("--config", config, "queue", "list").stdout == "no message is waiting\n"
    assert run("--config", config, "queue", "list", "--json").stdout == ""
    shown = run("--config", config, "queue", "show", "ABCDEF")
    assert shown.returncode == 1
    assert "no message ABCDEF" in shown.stderr


@pytest.mark.parametrize(
    ("verb", "code", "said"),
    [
        (["queue", "show", "\udcff"], 1, "no message \\udcff in the queue"),
        (["queue", "show", "ß"], 1, "no message ß in the queue"),
        (["log", "--sender", "\udcff"], 0, ""),
        (["queue", "hold", "\udcff", "--reason", "\udcff"], 1, "There is no message \\udcff"),
        (["status", "\udcff"], 1, "there is no account"),
        (["log", "--limit", "99999999999999999999"], 2, "--limit"),
        (["log", "--since", "999999999999d"], 2, "--since"),
    ],
)
def test_odd_arguments_get_a_sentence(
    tmp_path: Path, verb: list[str], code: int, said: str
) -> None:
    found = run("--config", configured(tmp_path), *verb)
    assert (found.returncode, "Traceback" in found.stderr) == (code, False)
    assert said in found.stderr
