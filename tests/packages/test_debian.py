"""The Debian package, from installation to purge, in a Debian that boots with systemd.

debian.sh is what is typed there; each of its sentences is a test.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packages.machine import make_machine, run_trial
from tests.tools import ROOT, needs, needs_root

SCRIPT = Path(__file__).with_name("debian.sh").read_text("utf-8")
SENTENCES = re.findall(r'(?m)^ *check "([^"$]+)"', SCRIPT)
BUILD = """
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
    build-essential debhelper python3-venv lintian >/dev/null 2>&1
packaging/build-deb /out
lintian --allow-root --fail-on error,warning /out/*.changes >/out/lintian 2>&1 ||
    touch /out/complaints
"""
pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def packages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both packages, named as the release in which they are built."""
    needs_root()
    needs("mmdebstrap")
    folder: Path = tmp_path_factory.mktemp("packages") / request.param
    folder.mkdir()
    fresh = [ROOT / "scripts" / "fresh", "--out", folder, request.param]
    subprocess.run([*fresh, "sh", "-ec", BUILD], check=True)
    return folder


@pytest.fixture(scope="module")
def said(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("machine")
    machine = make_machine(packages.name, folder)
    trial = folder / "trial"
    trial.mkdir()
    for package in packages.glob("*.deb"):
        shutil.copy(package, trial)
    add_newer(next(trial.glob("graphrelay_*.deb")))
    return run_trial(machine, trial, SCRIPT)


def add_newer(package: Path) -> None:
    """The same package with a higher version, beside it."""
    unpacked = package.parent / "unpacked"
    subprocess.run(["dpkg-deb", "-R", package, unpacked], check=True)
    control = unpacked / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*$", r"\g<0>+test", control.read_text()))
    newer = package.parent / re.sub(r"_([^_]*)_", r"_\1+test_", package.name)
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", unpacked, newer], check=True)
    shutil.rmtree(unpacked)


def test_the_trial_came_to_its_end(said: str) -> None:
    assert said.endswith("the end\n"), said


@pytest.mark.parametrize("sentence", SENTENCES)
def test_in_debian(said: str, sentence: str) -> None:
    assert f"\nok {sentence}\n" in f"\n{said}", said


def test_nothing_else_went_wrong(said: str) -> None:
    assert "not ok" not in said, said


def test_lintian_has_nothing_to_say(packages: Path) -> None:
    assert not (packages / "complaints").exists(), (packages / "lintian").read_text()
