"""`--help` teaches: a summary, what every option does, and examples that are commands."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from graphrelay.cli import VERBS, cli
from tests.cli.test_documents import parse

EXAMPLE = re.compile(r"^ +(graphrelay .*)$", re.MULTILINE)


def commands(within: click.Group = cli, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in within.list_commands(click.Context(within)):
        found = within.get_command(click.Context(within), name)
        assert found is not None
        yield f"{path}{name}", found
        if isinstance(found, click.Group):
            yield from commands(found, f"{path}{name} ")


ALL = dict(commands())
EXAMPLES = sorted(
    {line for command in ALL.values() for line in EXAMPLE.findall(command.help or "")}
)


@pytest.mark.parametrize("path", ALL)
def test_help_begins_with_a_summary_of_one_sentence(path: str) -> None:
    summary = (ALL[path].help or "").split("\n\n")[0]
    assert summary.endswith(".")
    assert len(summary) <= 90
    assert " ".join(summary.split()) == summary, "it stands on one line"


@pytest.mark.parametrize("path", ALL)
def test_every_option_says_what_it_does(path: str) -> None:
    options = [one for one in ALL[path].params if isinstance(one, click.Option)]
    assert [one.name for one in options if not one.help] == []


@pytest.mark.parametrize("path", ["", *ALL])
def test_nothing_is_cut_off_and_no_mark_of_a_paragraph_shows(path: str) -> None:
    shown = CliRunner().invoke(cli, [*path.split(), "--help"], terminal_width=80).output
    assert "..." not in shown.replace("[ARGS]...", "").replace("NAME...", "")
    assert "\\b" not in shown


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    shown = CliRunner().invoke(cli, ["--help"], terminal_width=100).output
    for name, summary in VERBS.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", shown, re.MULTILINE)
        assert summary.split()[0] == (ALL[name].help or "").split()[0]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_command_that_can_be_typed(example: str) -> None:
    command, _, _ = example.partition(" >")
    with CliRunner().isolation():
        parse(shlex.split(command)[1:])


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 20
