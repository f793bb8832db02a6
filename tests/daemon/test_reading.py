"""The configuration, read by a process of its own."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.daemon import reading
from graphrelay.daemon.reading import ConfigReading, Unusable
from graphrelay.daemon.reading_process import read
from tests.cli.test_commands import configured


async def test_it_is_what_would_have_been_read_here(tmp_path: Path) -> None:
    path = Path(configured(tmp_path))
    assert await ConfigReading(path).found() == read(path)


async def test_every_mistake_arrives(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('colour = "red"\n[smtp]\nmax_recipients = 0\n', encoding="utf-8")
    with pytest.raises(Unusable) as caught:
        await ConfigReading(path).found()
    assert caught.value.path == path
    assert any(
        problem.startswith("line 1: colour: unknown key") for problem in caught.value.problems
    )
    assert any("max_recipients" in problem for problem in caught.value.problems)


async def test_a_process_that_ends_without_an_answer_is_no_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_PROGRAM", "raise SystemExit(3)")
    with pytest.raises(Unusable) as caught:
        await ConfigReading(tmp_path / "config.toml").found()
    assert caught.value.problems == ("it could not be read: the process for it ended with 3",)


async def test_a_file_that_cannot_be_read_to_its_end_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LIMIT", timedelta(0))
    os.mkfifo(tmp_path / "config.toml")
    with pytest.raises(Unusable, match="could not be read within"):
        await ConfigReading(tmp_path / "config.toml").found()


def loaded(program: str, *unwanted: str) -> str:
    """Which of these modules a process has that runs `program`."""
    shown = f"{program}\nimport sys\nprint(*{set(unwanted)!r} & sys.modules.keys())"
    return subprocess.check_output([sys.executable, "-c", shown], text=True).strip()


def test_the_process_that_relays_never_loads_what_checks_a_configuration(tmp_path: Path) -> None:
    program = f"""
import asyncio
from pathlib import Path
from graphrelay.daemon.reading import ConfigReading
import graphrelay.cli.serve, graphrelay.daemon.signals
asyncio.run(ConfigReading(Path({configured(tmp_path)!r})).found())
"""
    assert not loaded(program, "pydantic", "pydantic_settings", "graphrelay.config")


def test_the_process_that_relays_does_not_load_what_it_seldom_needs() -> None:
    seldom = "requests", "urllib3", "jwt", "aiohttp.web", "jinja2"
    assert not loaded("import graphrelay.daemon.signals", *seldom)


def test_the_process_that_relays_does_not_load_what_keeps_authorizations() -> None:
    keeping = "cryptography", "httpx", "httpcore", "keyring", "msal"
    assert not loaded("import graphrelay.daemon.signals", *keeping)


def test_the_process_that_keeps_authorizations_loads_none_of_what_relays() -> None:
    relaying = "aiohttp", "aiosmtpd", "pydantic", "sqlite3"
    assert not loaded("import graphrelay.daemon.keeper_process", *relaying)


def test_the_process_that_reads_loads_none_of_what_relays() -> None:
    relaying = "aiohttp", "aiosmtpd", "cryptography", "httpx", "keyring", "msal", "sqlite3"
    assert not loaded("import graphrelay.daemon.reading_process", *relaying)
