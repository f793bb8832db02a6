"""The Debian package, from installation to purge, in a Debian that boots with systemd.

debian.sh is what is typed there; each of its sentences is a test.
"""

import re
from pathlib import Path

import pytest

from tests.packages.machine import copy_packages, make_machine, run_trial

SCRIPT = Path(__file__).with_name("debian.sh").read_text("utf-8")
SENTENCES = re.findall(r'(?m)^ *check "([^"$]+)"', SCRIPT)
pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def said(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("machine")
    machine = make_machine(packages.name, folder)
    trial = folder / "trial"
    trial.mkdir()
    copy_packages(packages, trial)
    return run_trial(machine, trial, SCRIPT)


def test_the_trial_came_to_its_end(said: str) -> None:
    assert said.endswith("the end\n"), said


@pytest.mark.parametrize("sentence", SENTENCES)
def test_in_debian(said: str, sentence: str) -> None:
    assert f"\nok {sentence}\n" in f"\n{said}", said


def test_nothing_else_went_wrong(said: str) -> None:
    assert "not ok" not in said, said


def test_lintian_has_nothing_to_say(packages: Path) -> None:
    assert not (packages / "complaints").exists(), (packages / "lintian").read_text()
