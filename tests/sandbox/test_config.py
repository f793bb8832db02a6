"""The configuration for a sandbox is accepted by the relay."""

from pathlib import Path
from typing import get_args

import pytest

from graphrelay.config import load
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import Scenario, relay_config


@pytest.mark.parametrize("scenario", get_args(Scenario))
async def test_the_relay_takes_it_and_finds_the_cloud(scenario: Scenario, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    async with Sandbox() as cloud:
        text = relay_config(cloud, tmp_path / 'a "state"', "127.0.0.1:2525", scenario)
        file.write_text(text, "utf-8")
        settings = load(file)
        assert str(settings.cloud.graph_url).rstrip("/") == cloud.graph_url
        assert settings.cloud.ca_file == cloud.ca_file
    assert settings.accounts["website"].scenario == scenario
    assert settings.state_directory == tmp_path / 'a "state"'


async def test_settings_of_the_account_can_be_added(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    async with Sandbox() as cloud:
        text = relay_config(cloud, tmp_path, account_settings="large_messages = true\n")
        file.write_text(text, "utf-8")
        assert load(file).accounts["website"].large_messages
