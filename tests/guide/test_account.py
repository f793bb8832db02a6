"""An additional account: checked with the whole configuration, and written beside it."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from graphrelay.config import load
from graphrelay.daemon.account_setup_process import outputs
from graphrelay.guide import account
from tests.guide.test_form import CLIENT, USER

COMPLETE = {**USER, "account": "website", "client_id": CLIENT}
SECRET = {
    "scenario": "any-user",
    "credential": "secret",
    "account": "alerts",
    "tenant": "contoso.com",
    "mailboxes": "*@contoso.com",
    "client_id": CLIENT,
    "client_secret": "geheim",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("", "utf-8")
    return path


def carried_out(config: Path, answers: dict[str, str], *, write_it: bool) -> list[dict[str, Any]]:
    return outputs(config, answers, write_it=write_it)


def test_a_complete_account_is_written_and_read_by_the_relay(config: Path) -> None:
    found, written = carried_out(config, COMPLETE, write_it=True)
    file = config.parent / "accounts.d" / "website.toml"
    assert found["complete"]
    assert (written["kind"], written["files"]) == ("written", [str(file)])
    assert list(load(config).accounts) == ["website"]
    assert config.read_text("utf-8") == ""
    assert [one.name for one in file.parent.iterdir()] == ["website.toml"]


def test_the_file_and_the_secret_are_readable_by_the_group_of_the_main_file(config: Path) -> None:
    if os.geteuid() == 0:
        os.chown(config, 0, 12)
    mask = os.umask(0o077)  # as of the service
    try:
        _, written = carried_out(config, SECRET, write_it=True)
    finally:
        os.umask(mask)
    folder = (config.parent / "accounts.d").stat()
    assert (stat.S_IMODE(folder.st_mode), folder.st_gid) == (0o750, config.stat().st_gid)
    assert [Path(one).name for one in written["files"]] == ["alerts.secret", "alerts.toml"]
    for file in map(Path, written["files"]):
        found = file.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o640, config.stat().st_gid)
    assert Path(written["files"][0]).read_text("utf-8") == "geheim\n"
    assert "geheim" not in Path(written["files"][1]).read_text("utf-8")


def test_nothing_is_written_while_anything_is_missing_or_wrong(config: Path) -> None:
    for answers in (USER, {**COMPLETE, "tenant": "contoso"}):
        (found,) = carried_out(config, answers, write_it=True)
        assert not found["complete"]
    assert list(config.parent.iterdir()) == [config]


def test_nothing_is_written_where_only_a_check_was_asked_for(config: Path) -> None:
    (found,) = carried_out(config, COMPLETE, write_it=False)
    assert found["complete"]
    assert list(config.parent.iterdir()) == [config]


def test_an_account_is_never_replaced(config: Path) -> None:
    carried_out(config, COMPLETE, write_it=True)
    (found,) = carried_out(config, COMPLETE, write_it=True)
    (name,) = (one for one in found["fields"] if one["key"] == "account")
    assert name["problem"] == "there is an account of this name; choose another"


def test_a_name_that_is_taken_is_no_mistake_of_somebody_who_has_typed_nothing(
    config: Path,
) -> None:
    carried_out(config, COMPLETE, write_it=True)
    answers = {key: answer for key, answer in COMPLETE.items() if key != "account"}
    (found,) = carried_out(config, answers | {"senders": "*@contoso.com"}, write_it=True)
    (name,) = (one for one in found["fields"] if one["key"] == "account")
    assert (name["problem"], name["missing"], name["optional"]) == ("", True, False)
    assert name["example"] == "website"
    assert not found["complete"]


def test_an_account_that_makes_the_configuration_unusable_is_refused(config: Path) -> None:
    config.write_text('[cloud]\nname = "china"\n', "utf-8")
    personal = {**COMPLETE, "scenario": "personal"}
    (found,) = carried_out(config, personal, write_it=True)
    (problem,) = found["problems"]
    assert "exist in the global cloud only" in problem
    assert not (config.parent / "accounts.d").exists()


def test_where_there_is_no_main_file_an_account_is_added_all_the_same(tmp_path: Path) -> None:
    config = tmp_path / "graphrelay" / "config.toml"
    _, written = carried_out(config, COMPLETE, write_it=True)
    assert written["kind"] == "written"
    assert not config.exists()
    assert list(load(config, may_be_missing=True).accounts) == ["website"]


def test_where_nothing_may_be_written_the_answer_has_the_lines_to_paste(config: Path) -> None:
    (config.parent / "accounts.d").symlink_to("missing")
    _, paste = carried_out(config, SECRET, write_it=True)
    assert paste["kind"] == "paste"
    assert paste["reason"].endswith("exists")
    assert paste["text"].startswith("[accounts.alerts]\n")
    assert paste["secret_file"].endswith("accounts.d/alerts.secret")
    assert "geheim" not in str(paste)


def test_a_secret_does_not_stay_if_the_account_cannot_be_written(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(path: Path, draft: Path) -> None:
        if path.suffix == ".toml":
            raise OSError(28, "No space left on device")
        os.link(draft, path)

    monkeypatch.setattr(Path, "hardlink_to", link)
    _, paste = carried_out(config, SECRET, write_it=True)
    assert paste["kind"] == "paste"
    assert list((config.parent / "accounts.d").iterdir()) == []


def test_a_configuration_with_mistakes_is_not_added_to(config: Path) -> None:
    config.write_text("[smtpd]\n", "utf-8")
    (said,) = carried_out(config, COMPLETE, write_it=True)
    assert said["kind"] == "unusable"


def test_the_registration_is_filled_in_and_a_scope_has_its_powershell(config: Path) -> None:
    (found,) = carried_out(config, {**SECRET, "scenario": "scoped-users"}, write_it=False)
    assert any("graphrelay-alerts" in step for step in found["portal"])
    assert any("graphrelay-alerts" in line for line in found["azure"])
    assert any(CLIENT in line for line in found["powershell"])
    (user,) = carried_out(config, COMPLETE, write_it=False)
    assert user["powershell"] == []


def test_every_scenario_says_what_an_intruder_could_do() -> None:
    found = {one["name"]: one["intruder"] for one in account.scenarios()}
    assert set(found) == {"user", "personal", "any-user", "scoped-users"}
    assert "as anyone in the tenant" in found["any-user"]


def test_another_account_gets_the_mail_of_its_senders_and_the_first_keeps_the_rest(
    config: Path,
) -> None:
    carried_out(config, COMPLETE, write_it=True)
    found, written = carried_out(config, SECRET, write_it=True)
    senders = next(one for one in found["fields"] if one["key"] == "senders")
    assert (senders["optional"], senders["example"]) == (True, "*@contoso.com")
    assert written["kind"] == "written"
    routes = [(route.account, route.sender) for route in load(config).routes]
    assert routes == [("alerts", ["*@contoso.com"]), ("website", [])]


def test_the_senders_of_another_account_are_chosen(config: Path) -> None:
    carried_out(config, COMPLETE, write_it=True)
    carried_out(config, {**SECRET, "senders": "Shop@contoso.com"}, write_it=True)
    assert load(config).routes[0].sender == ["Shop@contoso.com"]
    (wrong,) = carried_out(config, {**SECRET, "senders": "shop"}, write_it=True)
    assert next(one for one in wrong["fields"] if one["key"] == "senders")["problem"]
