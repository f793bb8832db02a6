"""Shell completion: commands and options, accounts, and queue ids.

Completion never fails and never takes long: if the configuration cannot be read or the relay does
not answer, nothing is offered.
"""

import contextlib
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete

from graphrelay import toml_file

_LIMIT = 2.0
"""Seconds that the relay has for its answer."""

_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


def script(shell: str, cli: click.Command) -> str:
    """What `shell` ("bash", "zsh", "fish") reads to complete `graphrelay`."""
    return _SHELLS[shell](cli, {}, "graphrelay", "_GRAPHRELAY_COMPLETE").source() + "\n"


def accounts(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The accounts of the configuration."""
    config = _config(context)
    try:
        names = {**toml_file.parse(toml_file.read(config)).get("accounts", {})}
        # As config.account_files finds them, whose package takes too long to import.
        names |= {one.stem: one for one in config.parent.glob("accounts.d/[!.]*.toml")}
    except (OSError, ValueError):
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def queue_ids(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The messages waiting in the running relay, each with its sender."""
    from graphrelay.cli.ask import by_the_daemon

    found: list[CompletionItem] = []
    with contextlib.suppress(Exception):
        for row in by_the_daemon(_config(context), "queue-list", {"limit": 100}, limit=_LIMIT):
            found.append(CompletionItem(row["queue_id"], help=f"from {row['sender']}"))
    return [item for item in found if item.value.startswith(incomplete.upper())]


def _config(context: click.Context) -> Path:
    config: Path = context.find_root().params["config"]
    return config
