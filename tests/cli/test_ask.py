"""Who carries out a verb: the running relay, or this process as the owner of its files."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cli.test_check_config import BAD
from tests.cli.test_commands import configured, run
from tests.tools import needs_root_and_readers


@pytest.mark.parametrize("verb", [["serve"], ["status"], ["queue", "list"], ["log"]], ids=" ".join)
def test_a_bad_configuration_ends_every_verb_with_78(verb: list[str]) -> None:
    shown = run("--config", str(BAD), *verb)
    assert shown.returncode == 78
    assert "unknown key" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_root_acts_as_the_owner_of_the_state_directory() -> None:
    needs_root_and_readers()
    # Not pytest's own folder: another run makes that inaccessible to other users.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        config = configured(folder)
        state = folder / "state"
        state.mkdir()
        os.chown(state, 65534, 65534)
        assert run("--config", config, "queue", "list").returncode == 0
        backup = folder / "backup.tar"
        assert run("--config", config, "backup", str(backup)).returncode == 0
        assert (backup.stat().st_uid, backup.stat().st_mode & 0o777) == (0, 0o600)
        # The Python of the tests may be in root's home, from which other users cannot import
        # modules later.
        early = "import importlib.readers, graphrelay.cli; graphrelay.cli.main()"
        restore = ("--config", config, "restore", "--replace", str(backup))
        subprocess.run([sys.executable, "-c", early, *restore], check=True, timeout=60)
        assert {entry.stat().st_uid for entry in state.rglob("*")} == {65534}
