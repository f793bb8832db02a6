"""`graphrelay sandbox`: a cloud, and a configuration with which a relay uses it."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from graphrelay.config import load
from graphrelay.daemon.relay import running
from graphrelay.daemon.wiring import wired
from graphrelay.sandbox.config import Scenario
from graphrelay.sandbox.visitor import Visitor
from tests.cli.test_commands import run
from tests.e2e.commands import graphrelay, started
from tests.world import hearing

SENDERS = {
    "user": "info@contoso.com",
    "personal": "me@outlook.com",
    "any-user": "bob@contoso.com",
    "scoped-users": "info@contoso.com",
}


async def read_until(stream: asyncio.StreamReader, end: str) -> str:
    text = ""
    async with asyncio.timeout(30):
        while end not in text and (line := await stream.readline()):
            text += line.decode()
    return text


@pytest.mark.parametrize("scenario", get_args(Scenario))
async def test_every_scenario_can_be_rehearsed_with_what_it_prints(
    tmp_path: Path, scenario: str
) -> None:
    config = tmp_path / "config.toml"
    ports = ("--port", "0", "--page-port", "0")
    options = (*ports, "--scenario", scenario, "--directory", str(tmp_path))
    async with started(config, "sandbox", *options) as sandbox:
        assert sandbox.stdout
        printed = await read_until(sandbox.stdout, "[vault]")
        await sandbox.stdout.readline()
        text = config.read_text("utf-8")
        assert f"{text[: text.index('[vault]')]}[vault]\n" in printed
        config.write_text(text.replace("127.0.0.1:2525", "127.0.0.1:0"), "utf-8")
        hear, _, _ = hearing()
        async with running(wired(load(config)), None, hear):
            if scenario in ("user", "personal"):
                who = "wp@contoso.com" if scenario == "user" else "me@outlook.com"
                await sign_in(config, tmp_path / "ca.pem", who)
            sent = await graphrelay(
                config, "send-test", "--from", SENDERS[scenario], "--to", "alice@contoso.com"
            )
    assert (sent.code, sent.err) == (0, "")
    assert "relayed" in sent.out


async def sign_in(config: Path, ca_file: Path, who: str) -> None:
    """As a person does whose browser is on another machine."""
    async with (
        started(config, "authorize", "--device", "--json") as authorize,
        Visitor(ca_file) as visitor,
    ):
        assert authorize.stdout
        last: dict[str, str] = {}
        while line := await asyncio.wait_for(authorize.stdout.readline(), 30):
            last = json.loads(line)
            if last["kind"] == "device":
                await visitor.enter_device_code(last["url"], last["code"], who)
    assert (last["kind"], last["who"]) == ("authorized", who)


def test_it_writes_a_configuration_that_passes_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "graphrelay", "sandbox", "--port", "0", "--page-port", "0"]
    with subprocess.Popen(
        [*command, "--directory", str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    config = tmp_path / "config.toml"
    assert f"graphrelay --config {config} serve" in lines[3]
    assert run("--config", str(config), "check-config").returncode == 0


async def test_a_configuration_that_somebody_wrote_is_not_replaced(tmp_path: Path) -> None:
    ours = tmp_path / "config.toml"
    ours.write_text("[accounts.website]\n", "utf-8")
    options = ["--port", "0", "--page-port", "0"]
    refused = await graphrelay(ours, "sandbox", *options, "--directory", str(tmp_path))
    assert refused.code == 1
    assert "is not of a sandbox" in refused.err
    assert ours.read_text("utf-8") == "[accounts.website]\n"
    impossible = await graphrelay(ours, "sandbox", *options, "--directory", str(ours / "x"))
    assert (impossible.code, "--port" in impossible.err) == (1, False)
