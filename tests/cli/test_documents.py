"""The commands that the documents show are commands of this program, with options that it has."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from graphrelay.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
INDENTED = re.compile(r"^ {4,}(?:sudo )?(graphrelay .*)$", re.MULTILINE)
INLINE = re.compile(r"`(?:sudo )?(graphrelay [^`]+)`")
NOT_COMMANDS = {"graphrelay drop 1"}
"""Text that looks like one."""
NOT_WHOLE = re.compile(r"…| / |\.\.\.|\$\(|\|\||&&")
"""An abbreviation, several commands in one, or more than a command."""


def shown(page: Path) -> Iterator[str]:
    text = page.read_text("utf-8")
    for found in [*INDENTED.findall(text), *INLINE.findall(text)]:
        command = found.split("   #")[0].split(" # ")[0].split(" && ")[0].split(" | ")[0]
        if command not in NOT_COMMANDS and not NOT_WHOLE.search(command):
            yield command.replace("[", "").replace("]", "").strip()


COMMANDS = sorted({(page.name, command) for page in PAGES for command in shown(page)})


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda part: str(part))
def test_a_command_in_a_document_is_one(page: str, command: str) -> None:
    parse(shlex.split(command)[1:])


def parse(arguments: list[str]) -> None:
    """As the program does before it acts. Raises what a mistake raises."""
    within: click.Command = cli
    context: click.Context | None = None
    try:
        while isinstance(within, click.Group):
            context = within.make_context(within.name, arguments, parent=context)
            name, found, arguments = within.resolve_command(
                context, [*context._protected_args, *context.args]
            )
            assert found is not None
            within = found
            within.name = name
        within.make_context(within.name, arguments, parent=context)
    except click.exceptions.Exit:
        pass  # --help, --version
    except click.MissingParameter:
        assert not arguments, "a verb may be named without its arguments"
    except click.exceptions.NoArgsIsHelpError:
        pass


def test_the_documents_show_the_verbs_of_authorization() -> None:
    verbs = {command.split()[1] for page, command in COMMANDS if page == "scenarios.md"}
    assert verbs >= {"init", "authorize", "status", "revoke", "setup-scope", "vault"}


def test_the_exchange_commands_in_the_document_are_those_that_are_printed() -> None:
    from graphrelay.guide.exchange import script
    from graphrelay.oauth.scenario import Account, ClientSecret, ScopedUsers, SecretText

    scenario = ScopedUsers(ClientSecret(SecretText("s")))
    account = Account("alerts", "contoso.com", "<client id>", scenario, ("info@contoso.com",))
    printed = "\n".join(script(account, "global", "", "CustomAttribute1", ""))
    text = (ROOT / "docs" / "scenarios.md").read_text("utf-8")
    section = text.split("## `scoped-users`")[1].split("\n## ")[0]
    commands = re.findall(r"^ {7,}([A-Z][a-z]+-[A-Z]\w+.*)", section, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        for word in re.findall(r"-?[A-Z]\w+[\w-]*|PrimarySmtp.*'", command):
            assert word in printed, command


def test_nobody_is_sent_to_the_package_index() -> None:
    """The name is not registered there, so anyone who registers it would be installed."""
    texts = [*PAGES, *(ROOT / "graphrelay").rglob("*.py"), ROOT / "config.example.toml"]
    wrong = re.compile(
        r"\b(?:pipx?|uvx?)\b[^\n]* (?:install|run) [^\n./]*\bgraphrelay\b(?![\w./-])"
    )
    assert [path.name for path in texts if wrong.search(path.read_text("utf-8"))] == []
