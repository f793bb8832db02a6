"""The newcomer's path, from the package to WordPress's first message, and on to the purge, in a
Debian that boots with systemd.

newcomer.sh is what is typed there; each of its sentences is a test. The browser is the sandbox's
visitor, which fills in the sign-in page form by form; tests/oauth/test_browser.py has Chromium.
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
pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def said(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("newcomer")
    machine = make_machine(packages.name, folder, *WORDPRESS)
    trial = folder / "trial"
    trial.mkdir()
    copy_packages(packages, trial)
    shutil.copytree(ROOT / "tests" / "clients" / "wordpress", trial / "wordpress")
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
