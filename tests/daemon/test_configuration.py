"""The configuration as the console shows it."""

from pathlib import Path

from graphrelay.config import load
from graphrelay.daemon.configuration import Configuration
from graphrelay.daemon.wiring import wired

TEXT = """
[[smtp.listeners]]
address = "127.0.0.1:0"
[accounts.site]
scenario = "user"
tenant = "common"
client_id = "c"
username = "wp@contoso.com"
"""


def test_it_has_every_key_the_warnings_and_the_real_port(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(TEXT, "utf-8")
    shown = Configuration(wired(load(file), file), ("127.0.0.1:4711",)).shown()
    assert shown.file == str(file)
    assert any("accounts.site.tenant" in text for text in shown.warnings)
    assert [one.address for one in shown.listeners] == ["127.0.0.1:4711"]
    assert {"log.level", "accounts.site.tenant"} <= {one.key for one in shown.keys}


def test_without_a_file_there_is_nothing_to_warn_of(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(TEXT, "utf-8")
    shown = Configuration(wired(load(file))).shown()
    assert (shown.file, shown.warnings) == ("the environment", ())
    assert [one.address for one in shown.listeners] == ["127.0.0.1:0"]
