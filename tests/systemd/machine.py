"""A machine of its own, with real systemd as its first process: systemd-nspawn on this machine's
/usr, everything else in memory, no network but its loopback. It takes a second to start.

It runs one program, `trial.py`, which does there what an admin would do and returns its findings as
JSON. Nothing of it outlives the test, and nothing of this machine but /usr, the Python that runs
the tests and the project is visible in it.
"""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.tools import ROOT

PYTHON = "/opt/python"
PROGRAM = "/opt/graphrelay"
TRIAL = "/opt/trial"

TRIAL_UNIT = f"""
[Unit]
DefaultDependencies=no
Requires=sysinit.target
After=sysinit.target
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
Environment=LD_LIBRARY_PATH={PYTHON}/lib PYTHONDONTWRITEBYTECODE=1
ExecStart={PROGRAM}/bin/python -m tests.systemd.trial {TRIAL}/findings.json
StandardOutput=journal+console
StandardError=journal+console
TimeoutStartSec=240
"""


MASKED = (
    "systemd-firstboot.service",  # waits for a login at the console
    "systemd-networkd-wait-online.service",  # there is no network to wait for
)


def why_not(nspawn: Path) -> str:
    """Why no machine can be started here; empty if one can."""
    done = _nspawn(nspawn, "/usr/bin/true")
    return "" if done.returncode == 0 else done.stdout.decode("utf-8", "replace") or "no reason"


def run_trial(nspawn: Path, folder: Path) -> dict[str, Any]:
    """Boot, run the trial, and return its findings. Fails with the console's output if there are
    none."""
    trial = folder / "trial"
    trial.mkdir()
    unit = folder / "trial.service"
    unit.write_text(TRIAL_UNIT, "utf-8")
    done = _nspawn(
        nspawn,
        f"--bind-ro={unit}:/etc/systemd/system/trial.service",
        f"--bind={trial}:{TRIAL}",
        *_installed(folder),
        *("--boot", "systemd.unit=trial.service"),
        *(f"systemd.mask={unit}" for unit in MASKED),
    )
    findings = trial / "findings.json"
    assert findings.exists(), done.stdout.decode("utf-8", "replace")
    found: dict[str, Any] = json.loads(findings.read_text("utf-8"))
    return found


def _nspawn(nspawn: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [
            *(nspawn, "--directory=/", "--volatile=yes", "--private-network", "--quiet"),
            *("--register=no", "--keep-unit", f"--machine=trial{os.getpid()}", *arguments),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=280,
        check=False,
    )


def _installed(folder: Path) -> Iterator[str]:
    """The program where docs/operations.md puts it, the interpreter, the units."""
    program = folder / "bin"
    program.mkdir()
    own = f"{PYTHON}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    _script(
        program / "python",
        f'#!/bin/sh\nPYTHONPATH={PROGRAM}/source:{PROGRAM}/lib exec {own} "$@"\n',
    )
    for name, module in (
        ("graphrelay", "graphrelay"),
        ("graphrelay-sendmail", "graphrelay.sendmail"),
    ):
        _script(program / name, f'#!/bin/sh\nexec {PROGRAM}/bin/python -m {module} "$@"\n')
    units = ROOT / "systemd"
    yield f"--bind-ro={sys.base_prefix}:{PYTHON}"
    yield f"--bind-ro={program}:{PROGRAM}/bin"
    yield f"--bind-ro={sysconfig.get_path('purelib')}:{PROGRAM}/lib"
    for part in ("graphrelay", "tests", "systemd"):
        yield f"--bind-ro={ROOT / part}:{PROGRAM}/source/{part}"
    for kind in ("sysusers.d", "tmpfiles.d"):
        yield f"--bind-ro={units / kind / 'graphrelay.conf'}:/etc/{kind}/graphrelay.conf"
    for unit in ("graphrelay.service", "graphrelay.socket"):
        yield f"--bind-ro={units / unit}:/etc/systemd/system/{unit}"


def _script(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    path.chmod(0o755)
