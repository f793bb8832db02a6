"""`graphrelay check-config`: every mistake, and a status."""

from pathlib import Path

from click.testing import CliRunner

from graphrelay.cli import cli
from tests.cli.test_commands import application, configured, run
from tests.cli.test_route import ACCOUNTS

ROOT = Path(__file__).parents[2]
BAD = ROOT / "tests" / "config" / "bad" / "everything-at-once.toml"
EXAMPLE = ROOT / "config.example.toml"


def test_check_config_says_every_mistake_and_ends_with_78() -> None:
    shown = run("--config", str(BAD), "check-config")
    assert shown.returncode == 78
    expected = BAD.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
    assert shown.stderr.splitlines() == [f"{BAD}: {line}" for line in expected]


def test_check_config_says_that_the_example_is_fine() -> None:
    shown = run("--config", str(EXAMPLE), "check-config")
    assert shown.returncode == 0
    assert f"{EXAMPLE} can be used" in shown.stdout
    assert "client_id: is a placeholder" in shown.stderr


def said(directory: Path, more: str) -> str:
    path = directory / "config.toml"
    path.write_text(ACCOUNTS + more, encoding="utf-8")
    shown = CliRunner().invoke(cli, ["--config", str(path), "check-config"])
    assert shown.exit_code == 0, shown.output
    return shown.output


def test_it_says_what_becomes_of_large_messages(tmp_path: Path) -> None:
    assert "messages over 4 MB (in base64) are refused: large_messages is off" in said(tmp_path, "")
    large = ACCOUNTS.replace("[accounts.website]\n", "[accounts.website]\nlarge_messages = true\n")
    path = tmp_path / "large.toml"
    for more, told in (
        ("", "up to 35 MB, are tried as MIME, and go by draft and upload session where"),
        ('[delivery]\nmax_mime_request = "5 MB"\n', "messages over 5 MB (in base64) go by draft"),
    ):
        path.write_text(large + more, encoding="utf-8")
        shown = CliRunner().invoke(cli, ["--config", str(path), "check-config"])
        assert told in shown.output


def test_it_says_in_which_form_large_messages_of_a_route_go(tmp_path: Path) -> None:
    large = ACCOUNTS.replace("[accounts.website]\n", "[accounts.website]\nlarge_messages = true\n")
    path = tmp_path / "large.toml"
    for more, told in (
        (
            "",
            "MIME; where that is too large, the texts as MIME and the files by upload, or JSON if",
        ),
        ('redirect_to = "trial@contoso.com"\n', "MIME; where that is too large, JSON\n"),
        ('content = "json"\n', "taken apart to JSON, a copy"),
    ):
        path.write_text(f'{large}\n[[routes]]\naccount = "website"\n{more}', encoding="utf-8")
        shown = CliRunner().invoke(cli, ["--config", str(path), "check-config"])
        assert f"route routes[0]: {told}" in shown.output


def test_it_says_what_becomes_of_invitations_where_mail_is_taken_apart(tmp_path: Path) -> None:
    route = '\n[[routes]]\naccount = "website"\nsave_to_sent_items = false\n'
    shown = said(tmp_path, route)
    assert "route routes[0]: taken apart to JSON, no copy in Sent Items" in shown
    assert 'an invitation becomes a file, no meeting request, unless invitations = "mime"' in shown
    shown = said(tmp_path, route + 'invitations = "mime"\n')
    assert "invitations go as MIME, and leave a copy" in shown
    assert "route routes[0]: MIME\n" in said(tmp_path, '\n[[routes]]\naccount = "website"\n')


def test_a_warning_is_a_mistake_if_strict(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    text = Path(configured(tmp_path)).read_text("utf-8")
    path.write_text(text.replace("9d5a2c1e-3a0f", "website-"), "utf-8")
    for options, code in ((), 0), (("--strict",), 78):
        shown = CliRunner().invoke(cli, ["--config", str(path), "check-config", *options])
        assert shown.exit_code == code, shown.output
        assert f"{path}: warning: line 11: accounts.website.client_id: is not an id" in shown.output


def test_the_largest_message_and_the_risk_of_any_user_are_said(tmp_path: Path) -> None:
    path = application(tmp_path, "managed_identity = true")
    shown = CliRunner().invoke(cli, ["--config", path, "check-config", "--strict"])
    assert shown.exit_code == 0, shown.output
    assert "large_messages is off" in shown.output
    assert "risk: Anyone with this application's credential can send as anyone" in shown.output
