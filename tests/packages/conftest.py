"""These tests build packages and boot machines, which takes many minutes: `make test-packages` runs
them, and nothing that does not name this folder.
"""

import subprocess
from pathlib import Path

import pytest

from tests.tools import ROOT, needs, needs_root

BUILD = """
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
    build-essential debhelper python3-venv lintian >/dev/null 2>&1
packaging/build-deb /out
lintian --allow-root --fail-on error,warning /out/*.changes >/out/lintian 2>&1 ||
    touch /out/complaints
"""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave them out unless they are asked for."""
    return None if any("packages" in one for one in config.args) else True


@pytest.fixture(scope="session", params=["bookworm", "trixie"])
def packages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both packages, named as the release in which they are built."""
    needs_root()
    needs("mmdebstrap")
    folder: Path = tmp_path_factory.mktemp("packages") / request.param
    folder.mkdir()
    fresh = [ROOT / "scripts" / "fresh", "--out", folder, request.param]
    subprocess.run([*fresh, "sh", "-ec", BUILD], check=True)
    return folder
