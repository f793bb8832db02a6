"""Accounts in files of their own beside the configuration file."""

from pathlib import Path

import pytest

from graphrelay.config import ConfigError, load
from graphrelay.config.account_files import file_of, files_beside
from tests.config.test_load import APPLICATION, SMALL, written


def own_file(directory: Path, name: str, text: str) -> Path:
    path = file_of(directory / "config.toml", name).path
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [str(problem) for problem in caught.value.problems]


def test_an_account_is_read_from_its_own_file_as_from_the_main_one(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    own_file(tmp_path / "one", "site", SMALL)
    alone, together = load(written(tmp_path / "one", "")), load(written(tmp_path, SMALL))
    assert alone.model_dump() == together.model_dump()


def test_accounts_of_the_main_file_and_of_their_own_stand_side_by_side(tmp_path: Path) -> None:
    own_file(tmp_path, "site", SMALL)
    credential = "managed_identity = true\n"
    path = written(tmp_path, f'{APPLICATION}{credential}[[routes]]\naccount = "site"\n')
    assert list(load(path).accounts) == ["alerts", "site"]


def test_an_account_that_is_in_two_files_is_refused_with_both_their_names(tmp_path: Path) -> None:
    own_file(tmp_path, "site", SMALL)
    assert problems(written(tmp_path, SMALL)) == [
        "accounts.d/site.toml, line 2: accounts.site: is in config.toml and in "
        "accounts.d/site.toml; remove it from one of them"
    ]


def test_only_the_account_after_which_the_file_is_named_may_be_in_it(tmp_path: Path) -> None:
    own_file(tmp_path, "shop", SMALL)
    own_file(tmp_path, "site", f"{SMALL}[smtp]\nhostname = 'x'\n")
    assert problems(written(tmp_path, "")) == [
        "accounts.d/shop.toml: accounts.shop: accounts.d/shop.toml may contain [accounts.shop] "
        "and its [[routes]] alone, not accounts.site",
        "accounts.d/shop.toml: accounts.shop: accounts.d/shop.toml must contain the table "
        "[accounts.shop]",
        "accounts.d/site.toml, line 2: accounts.site: accounts.d/site.toml may contain "
        "[accounts.site] and its [[routes]] alone, not smtp",
    ]


@pytest.mark.parametrize("accounts", ["5", "'site'", "[]"])
def test_accounts_that_are_no_table_are_a_mistake_in_the_file(
    tmp_path: Path, accounts: str
) -> None:
    own_file(tmp_path, "site", f"accounts = {accounts}\n")
    assert problems(written(tmp_path, "")) == [
        "accounts.d/site.toml, line 1: accounts.site: accounts.d/site.toml must contain the table "
        "[accounts.site]"
    ]


def test_a_route_in_single_brackets_is_a_mistake_and_not_ignored(tmp_path: Path) -> None:
    route = 'account = "site"\nsender = ["a@contoso.com"]\n'
    own = own_file(tmp_path, "site", f"{SMALL}[routes]\n{route}")
    assert problems(written(tmp_path, "")) == [
        "accounts.d/site.toml, line 2: accounts.site: the routes of accounts.d/site.toml must be "
        "written as [[routes]]"
    ]
    own.write_text(f"{SMALL}[[routes]]\n{route}", "utf-8")
    assert problems(written(tmp_path, f"[routes]\n{route}")) == [
        "line 1: routes: must be a valid list, not a table"
    ]


def test_a_mistake_names_the_file_and_its_line(tmp_path: Path) -> None:
    own_file(tmp_path, "site", SMALL.replace("client_id", "client_ids"))
    assert problems(written(tmp_path, "")) == [
        "accounts.d/site.toml, line 2: accounts.site.client_id: is missing",
        "accounts.d/site.toml, line 5: accounts.site.client_ids: unknown key; did you mean "
        '"client_id"?',
    ]


def test_what_is_not_toml_names_its_file(tmp_path: Path) -> None:
    own_file(tmp_path, "site", "no toml")
    (said,) = problems(written(tmp_path, ""))
    assert said.startswith("accounts.d/site.toml: not valid TOML: ")


def test_drafts_and_secrets_beside_are_not_read(tmp_path: Path) -> None:
    for name in (".site.toml", "site.toml~", "site.secret"):
        own_file(tmp_path, "site", "").with_name(name).write_text("no toml", "utf-8")
    own_file(tmp_path, "site", SMALL)
    assert [one.name for one in files_beside(tmp_path / "config.toml")] == ["site"]
    assert list(load(written(tmp_path, "")).accounts) == ["site"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    own_file(tmp_path, "site", SMALL).with_name("shop.toml").mkdir()
    assert problems(written(tmp_path, "")) == [
        "accounts.d/shop.toml: cannot be read: Is a directory"
    ]


def test_a_file_in_place_of_the_folder_is_a_mistake_and_not_ignored(tmp_path: Path) -> None:
    (tmp_path / "accounts.d").write_text(SMALL, "utf-8")
    assert problems(written(tmp_path, SMALL)) == ["accounts.d: cannot be read: Not a directory"]


IDENTITY = "managed_identity = true\n"
ROUTE = '[[routes]]\nsender = ["*@shop.example"]\naccount = "site"\n'


def order(path: Path) -> list[tuple[str, list[str]]]:
    return [(route.account, route.sender) for route in load(path).routes]


def test_routes_of_an_account_stand_before_what_takes_everything(tmp_path: Path) -> None:
    own_file(tmp_path, "site", SMALL + ROUTE)
    first = '[[routes]]\nsender = ["boss@shop.example"]\naccount = "alerts"\n'
    rest = '[[routes]]\naccount = "alerts"\n'
    path = written(tmp_path, APPLICATION + IDENTITY + first + rest)
    assert order(path) == [
        ("alerts", ["boss@shop.example"]),
        ("site", ["*@shop.example"]),
        ("alerts", []),
    ]


def test_where_the_main_file_has_no_route_the_account_without_one_takes_the_rest(
    tmp_path: Path,
) -> None:
    own_file(tmp_path, "site", SMALL + ROUTE)
    path = written(tmp_path, APPLICATION + IDENTITY)
    assert order(path) == [("site", ["*@shop.example"]), ("alerts", [])]
    own_file(tmp_path, "third", SMALL.replace("accounts.site", "accounts.third"))
    said = 'routes: no route says when to use one of the accounts "alerts", "third"'
    assert problems(path) == [said], "none takes it by chance"
    own_file(tmp_path, "site", f'{SMALL}backup = "third"\n{ROUTE}')
    assert order(path) == [("site", ["*@shop.example"]), ("alerts", [])], "nor does a backup"


def test_a_route_in_the_file_of_an_account_is_its_own_and_has_a_condition(tmp_path: Path) -> None:
    own_file(tmp_path, "site", f'{SMALL}{ROUTE}[[routes]]\naccount = "site"\n')
    path = written(tmp_path, APPLICATION + IDENTITY)
    assert problems(path) == [
        "accounts.d/site.toml, line 11: routes[1].account: the route needs a condition (sender, "
        "recipient, listener, login, client, header), or it would take all mail"
    ]
    own_file(tmp_path, "site", SMALL + ROUTE.replace('"site"', '"alerts"'))
    assert "a route in the file of an account sends through that account" in problems(path)[0]


def test_a_mistake_in_such_a_route_names_its_file_and_line(tmp_path: Path) -> None:
    own_file(tmp_path, "site", SMALL + ROUTE + 'mailbox = "nobody"\n')
    main = f'{APPLICATION}{IDENTITY}[[routes]]\nsender = ["a@b.c"]\naccount = "alerts"\n'
    [problem] = problems(written(tmp_path, main))
    assert problem.startswith("accounts.d/site.toml, line 10: routes[1].mailbox: must be")
