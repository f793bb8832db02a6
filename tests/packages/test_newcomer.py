"""The newcomer's path, from the package to WordPress's first message, and on to the purge, in a
Debian that boots with systemd.

newcomer.sh is what is typed there; each of its sentences is a test. The browser is Debian's
Chromium (browser.py).
"""

import re
import shutil
from pathlib import Path

import pytest

from tests.clients.pages import blocks
from tests.packages.machine import copy_packages, make_machine, run_trial
from tests.tools import ROOT

SCRIPT = Path(__file__).with_name("newcomer.sh").read_text("utf-8")
SENTENCES = re.findall(r'(?m)^check "([^"$]+)"', SCRIPT)
WORDPRESS = ("wordpress", "php-cli", "php-mysql", "php-mbstring", "php-xml", "mariadb-server")
BROWSER = ("chromium", "python3-aiohttp", "python3-pytest")
"""Chromium, and what the tests' code that controls it imports."""
pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def said(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("newcomer")
    machine = make_machine(packages.name, folder, *WORDPRESS, *BROWSER)
    trial = folder / "trial"
    trial.mkdir()
    copy_packages(packages, trial)
    shutil.copytree(ROOT / "tests" / "clients" / "wordpress", trial / "wordpress")
    shutil.copytree(ROOT / "tests", trial / "project" / "tests")
    shutil.copytree(ROOT / "scripts", trial / "project" / "scripts")
    (code,) = blocks("wordpress", "php")
    (trial / "graphrelay.php").write_text(code, "utf-8")
    return run_trial(machine, trial, SCRIPT)


def test_the_newcomer_came_to_the_end(said: str) -> None:
    assert said.endswith("the end\n"), said


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_newcomer(said: str, sentence: str) -> None:
    assert f"\nok {sentence}\n" in f"\n{said}", said


def test_nothing_went_wrong(said: str) -> None:
    assert "not ok" not in said, said
