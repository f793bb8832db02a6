"""`graphrelay alert-test`: its exit status."""

import json
from pathlib import Path

from tests.cli.test_commands import configured, run


def test_alert_test_answers_no_unless_every_channel_worked(tmp_path: Path) -> None:
    config = configured(tmp_path)
    shown = run("--config", config, "alert-test")
    assert shown.returncode == 1
    assert "no alert would reach anybody" in shown.stderr
    plain = Path(config).read_text(encoding="utf-8")
    for command, status in (("/bin/true", 0), ("/bin/false", 1)):
        Path(config).write_text(f'{plain}[alerts]\ncommand = ["{command}"]\n', encoding="utf-8")
        shown = run("--config", config, "alert-test", "--json")
        assert shown.returncode == status, shown.stderr
        assert json.loads(shown.stdout)["sent"] is (status == 0)
