"""Completion: verbs, accounts, and queue ids of the relay."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from graphrelay.cli import ask, cli, complete
from graphrelay.cli.output import Output


def offered(*words: str) -> list[str]:
    """For the last of the words, as bash asks."""
    done = subprocess.run(
        [sys.executable, "-m", "graphrelay"],
        env={
            **os.environ,
            "_GRAPHRELAY_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["graphrelay", *words]),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_verbs_are_offered() -> None:
    assert offered("se") == ["serve", "setup-scope", "send-test"]


@pytest.mark.parametrize(
    "verb", [["authorize"], ["status"], ["revoke"], ["queue", "list", "--account"]]
)
def test_accounts_of_the_configuration_are_offered(tmp_path: Path, verb: list[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[accounts.website]\n[accounts.alerts]\n")
    (tmp_path / "accounts.d").mkdir()
    (tmp_path / "accounts.d" / "wiki.toml").write_text("[accounts.wiki]\n")
    assert offered("--config", str(config), *verb, "w") == ["website", "wiki"]


@pytest.mark.parametrize("text", ["no TOML", None])
def test_nothing_is_offered_where_there_is_nothing_to_read(
    tmp_path: Path, text: str | None
) -> None:
    config = tmp_path / "config.toml"
    if text:
        config.write_text(text)
    assert offered("--config", str(config), "authorize", "") == []
    assert offered("--config", str(config), "queue", "show", "") == []


def test_what_waits_is_offered_with_its_sender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: Any, **__: Any) -> Iterator[Output]:
        yield {"queue_id": "4QX7K2M9", "sender": "wp@contoso.com"}
        yield {"queue_id": "5AAAAAAA", "sender": "info@contoso.com"}

    monkeypatch.setattr(ask, "by_the_daemon", answer)
    context = click.Context(cli, info_name="graphrelay")
    context.params["config"] = tmp_path / "config.toml"
    (item,) = complete.queue_ids(context, cli.params[0], "4qx")
    assert (item.value, item.help) == ("4QX7K2M9", "from wp@contoso.com")


def test_a_relay_that_does_not_answer_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHRELAY_CONTROL__SOCKET", str(tmp_path / "control.sock"))
    monkeypatch.setattr(complete, "_LIMIT", 0.01)
    context = click.Context(cli, info_name="graphrelay")
    context.params["config"] = tmp_path / "config.toml"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "control.sock"))
        silent.listen()
        assert complete.queue_ids(context, cli.params[0], "") == []
