"""The page Set up: the choice, the form, and the result."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from graphrelay.control.verb import Asker, Output, VerbError
from graphrelay.daemon.account_setup_process import outputs
from tests.console.conftest import Opened
from tests.guide.test_account import COMPLETE, SECRET


@pytest.fixture
def config(tmp_path: Path, opened: Opened) -> Path:
    """Of a relay whose verb `set-up` works in this process, and reloads nothing."""
    path = tmp_path / "config.toml"
    path.write_text("", "utf-8")

    async def set_up(arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        for output in outputs(path, arguments["answers"], write_it=arguments["write"]):
            if output["kind"] == "unusable":
                raise VerbError("; ".join(output["problems"]))
            yield output

    opened.verbs["set-up"] = set_up
    return path


async def test_each_scenario_says_what_it_does_and_what_an_intruder_could_do(
    opened: Opened, config: Path
) -> None:
    text = (await (await opened.operator()).get("/setup")).text
    for scenario in ("user", "personal", "any-user", "scoped-users"):
        assert f'name="scenario" value="{scenario}"' in text
    assert "can send as anyone in the tenant" in text


async def test_a_viewer_sets_up_nothing(opened: Opened, config: Path) -> None:
    vera = await opened.viewer()
    assert (await vera.get("/setup")).status == 403
    assert (await vera.post("/setup", {**COMPLETE, "act": "write"})).status == 403
    assert "/setup" not in (await vera.get("/accounts")).text
    assert list(config.parent.iterdir()) == [config]


async def test_a_form_without_its_token_writes_nothing(opened: Opened, config: Path) -> None:
    otto = await opened.operator()
    form = {**COMPLETE, "act": "write", "token": "wrong"}
    assert (await otto.send("POST", "/setup", data=form)).status == 403
    assert list(config.parent.iterdir()) == [config]


async def test_checking_says_what_is_wrong_and_fills_in_the_registration(
    opened: Opened, config: Path
) -> None:
    otto = await opened.operator()
    page = await otto.post("/setup", {**COMPLETE, "tenant": "contoso", "act": "check"})
    assert "must be a domain such as contoso.com" in page.text
    assert "graphrelay-website" in page.text
    assert list(config.parent.iterdir()) == [config]
    assert opened.events("acted") == []


async def test_writing_leads_to_the_accounts_and_the_journal_says_who(
    opened: Opened, config: Path
) -> None:
    otto = await opened.operator()
    answer = await otto.post("/setup", {**COMPLETE, "act": "write"})
    assert (answer.status, answer.headers["Location"]) == (303, "/accounts#website")
    assert (config.parent / "accounts.d" / "website.toml").exists()
    [acted] = opened.events("acted")
    assert (acted["who"], acted["what"], acted["on"]) == ("otto", "set up an account", "website")


async def test_the_form_holds_no_answer_that_nobody_gave(opened: Opened, config: Path) -> None:
    page = await (await opened.operator()).get("/setup?scenario=user")
    assert 'value="wp@contoso.com"' not in page.text
    assert 'placeholder="wp@contoso.com"' in page.text


async def test_what_is_missing_is_marked_and_nothing_is_written(
    opened: Opened, config: Path
) -> None:
    otto = await opened.operator()
    page = await otto.post("/setup", {"scenario": "user", "account": "site", "act": "write"})
    assert page.status == 200
    assert "is missing" in page.text
    assert list(config.parent.iterdir()) == [config]


async def test_where_the_relay_may_not_write_the_lines_are_shown(
    opened: Opened, config: Path
) -> None:
    (config.parent / "accounts.d").symlink_to("missing")
    page = await (await opened.operator()).post("/setup", {**SECRET, "act": "write"})
    assert "Add the account by hand" in page.text
    assert "[accounts.alerts]" in page.text


async def test_a_secret_is_never_shown_nor_logged(opened: Opened, config: Path) -> None:
    otto = await opened.operator()
    for act in ("check", "write"):
        page = await otto.post("/setup", {**SECRET, "tenant": "contoso", "act": act})
        assert page.status == 200
        assert "geheim" not in page.text
    assert "geheim" not in str(opened.entries)


async def test_markup_in_an_answer_stays_text(opened: Opened, config: Path) -> None:
    script = '"><script>alert(1)</script>'
    answers = dict.fromkeys(COMPLETE, script) | {"scenario": "user", "act": "check"}
    page = await (await opened.operator()).post("/setup", answers)
    assert script not in page.text
    assert "<script>alert" not in page.text


async def test_a_configuration_with_mistakes_is_named(opened: Opened, config: Path) -> None:
    config.write_text("[smtpd]\n", "utf-8")
    page = await (await opened.operator()).post("/setup", {**COMPLETE, "act": "write"})
    assert page.status == 409
    assert "smtpd: unknown key" in page.text


async def test_a_relay_without_a_file_says_so(opened: Opened) -> None:
    page = await (await opened.operator()).get("/setup")
    assert page.status == 404
    assert "no configuration file" in page.text
