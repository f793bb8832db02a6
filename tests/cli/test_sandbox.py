"""`graphrelay sandbox`: a cloud, and a configuration with which a relay uses it."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.test_commands import run


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
