"""A Debian that boots: made by scripts/minimal-debian, run by systemd-nspawn without a network.

It runs one script, after checks.sh, as root, when basic.target has been reached; each line of its
output that begins with `ok` or `not ok` is a finding. Nothing of it outlives the test.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.tools import ROOT, machine_cannot, needs, needs_root

PACKAGES = "systemd-sysv,dbus,python3,curl,procps,man-db"
UNIT = """
[Unit]
DefaultDependencies=no
Requires=basic.target
After=basic.target
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/bash /trial/trial.sh
StandardOutput=file:/trial/said
StandardError=file:/trial/said
TimeoutStartSec=1500
"""
CHECKS = Path(__file__).with_name("checks.sh").read_text("utf-8")
LEGACY = "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
"""Without it, systemd 256 and later refuse the old kind of control groups."""


def make_machine(suite: str, folder: Path, *more: str) -> Path:
    """The machine's root directory. `more` are packages besides."""
    needs_root()
    needs("mmdebstrap")
    machine = folder / suite
    packages = ",".join((PACKAGES, *more))
    subprocess.run([ROOT / "scripts" / "minimal-debian", suite, machine, packages], check=True)
    return machine


def run_trial(machine: Path, trial: Path, script: str) -> str:
    """What `script` said there; `trial` is /trial."""
    (trial / "trial.sh").write_text(CHECKS + script, "utf-8")
    (machine / "etc/systemd/system/trial.service").write_text(UNIT, "utf-8")
    booted = subprocess.run(
        [
            *(needs("nspawn"), f"--directory={machine}", "--private-network", "--quiet"),
            *("--register=no", "--keep-unit", f"--machine=trial{os.getpid()}"),
            *(f"--bind={trial}:/trial", "--boot", "systemd.unit=trial.service", LEGACY),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=1800,
        check=False,
    )
    said = trial / "said"
    if not said.exists():
        machine_cannot("boot", booted.stdout.decode("utf-8", "replace"))
    return said.read_text("utf-8", "replace")


def copy_packages(packages: Path, trial: Path) -> None:
    """Those that were built, and the same with a higher version."""
    for package in packages.glob("*.deb"):
        shutil.copy(package, trial)
    _add_newer(next(trial.glob("graphrelay_*.deb")))


def _add_newer(package: Path) -> None:
    """The same package with a higher version, beside it."""
    unpacked = package.parent / "unpacked"
    subprocess.run(["dpkg-deb", "-R", package, unpacked], check=True)
    control = unpacked / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*$", r"\g<0>+test", control.read_text()))
    newer = package.parent / re.sub(r"_([^_]*)_", r"_\1+test_", package.name)
    subprocess.run(["dpkg-deb", "-Znone", "-b", "--root-owner-group", unpacked, newer], check=True)
    shutil.rmtree(unpacked)
