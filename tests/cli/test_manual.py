"""The man pages say what the commands and the settings are."""

import subprocess
import tomllib

import click
import pytest

from graphrelay.cli import cli
from graphrelay.cli.manual import commands_page, settings_page
from tests.tools import ROOT, needs

EXAMPLE = (ROOT / "config.example.toml").read_text("utf-8")


def shown(page: str) -> str:
    """As a terminal without emphasis shows it, on lines that are long enough."""
    return subprocess.run(
        [needs("mandoc"), "-Tutf8", "-Owidth=1000"],
        input=page,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.replace("\b", "")


def test_every_verb_and_option_is_there() -> None:
    page = commands_page(cli).replace("\\-", "-")

    def check(command: click.Command, context: click.Context) -> None:
        for one in command.params:
            if isinstance(one, click.Option):
                assert all(name in page for name in one.opts), (command.name, one.opts)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                assert f"{context.command_path} {name}".removeprefix("graphrelay ") in page
                check(below, click.Context(below, parent=context, info_name=name))

    check(cli, click.Context(cli, info_name="graphrelay"))


def test_every_key_of_the_example_is_there_with_its_value() -> None:
    lines = [line.removeprefix("# ") for line in EXAMPLE.splitlines()]
    keys = [line for line in lines if line.split(" = ")[0].isidentifier() and " = " in line]
    assert len(keys) > 90
    page = shown(settings_page(EXAMPLE))
    assert [key for key in keys if key not in page] == []


def test_every_table_of_the_example_is_a_heading() -> None:
    page = settings_page(EXAMPLE)
    for name in tomllib.loads(EXAMPLE):
        if isinstance(tomllib.loads(EXAMPLE)[name], dict) and name != "accounts":
            assert f'.Ss "[{name}]"' in page
    assert '.Ss "[accounts.website]"' in page


def test_what_is_said_above_two_keys_is_said_once_below_both() -> None:
    page = settings_page("# preface\n\n# How long.\n# a = 1\n# b = 2\n\n# Next.\nc = 3\n")
    assert page.count("How long.") == 1
    assert page.index('"a = 1"') < page.index('"b = 2"') < page.index("How long.")
    assert page.index("How long.") < page.index('"c = 3"') < page.index("Next.")
    assert "preface" not in page


@pytest.mark.parametrize("line", [".Sh EVIL", "'br", "\\fBx", "a \\ b - c"])
def test_no_text_is_taken_for_a_macro(line: str) -> None:
    page = settings_page(f"#\n\n# {line}\na = 1\n")
    assert line in shown(page)


def test_the_date_is_that_of_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert commands_page(cli).startswith(".Dd January 1, 1970\n")
