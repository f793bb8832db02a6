"""A Debian that boots: made by scripts/minimal-debian, run by systemd-nspawn without a network.

It runs one script, as root, after basic.target; each line of its output that begins with `ok` or
`not ok` is a finding. Nothing of it outlives the test.
"""

import os
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
LEGACY = "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
"""Without it, systemd 256 and later refuse the old kind of control groups."""


def make_machine(suite: str, folder: Path) -> Path:
    """The machine's root directory."""
    needs_root()
    needs("mmdebstrap")
    machine = folder / suite
    subprocess.run([ROOT / "scripts" / "minimal-debian", suite, machine, PACKAGES], check=True)
    return machine


def run_trial(machine: Path, trial: Path, script: str) -> str:
    """What `script` said there; `trial` is /trial."""
    (trial / "trial.sh").write_text(script, "utf-8")
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
