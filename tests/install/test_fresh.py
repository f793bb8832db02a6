"""README's first command, in a fresh Debian."""

import subprocess

import pytest

from tests.tools import ROOT, machine_cannot, needs, needs_root


@pytest.mark.timeout(900)
def test_make_demo_works_in_a_new_minimal_debian() -> None:
    """Debian 12, with python3, make, git and ca-certificates. `make fresh` runs all the tests
    there, and in Debian 13."""
    needs_root()
    needs("mmdebstrap")
    namespaces = ["unshare", "--mount", "--pid", "--fork", "true"]
    tried = subprocess.run(namespaces, capture_output=True, text=True, check=False)
    if tried.returncode:
        machine_cannot("namespaces", tried.stderr)
    done = subprocess.run(
        [ROOT / "scripts" / "fresh", "bookworm", "scripts/try-demo"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "make demo works" in done.stdout
