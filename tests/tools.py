"""What tests need of the machine: programs (`swaks = needs("swaks")`) and what the kernel allows.

One rule: a test that lacks something is never counted as passed.

- A program that is missing, or is there and does not work (`scripts/test-tools.txt` says what is
  tried): the test is skipped, with the command that installs it; where `CI=true` it fails.
- What this kernel, container or user does not allow (`Ability`): the test is skipped with the
  reason. It fails only where `$TEST_MACHINE_CAN` lists the ability: CI lists what its machine can.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "test-tools"
_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"

Ability = Literal["root", "other-users", "mounts", "namespaces", "boot"]
"""To run as root; to let another user read the project; to mount a file system; to run a program
with an /etc of its own; to boot a machine with systemd."""


CANNOT = "this machine does not allow"
_reasons: dict[Ability, str] = {}


@dataclass(frozen=True, slots=True)
class Tool:
    """One line of the list."""

    where: str
    check: str
    """What the shell runs to see that it works."""


def needs(name: str) -> Path:
    """Where the program is (a path, if it is a folder or a file); otherwise skip."""
    tool = _listed()[name]
    found = _find(tool)
    if found is None:
        do_without(
            f"{name} is missing, or does not work ({tool.where}): "
            "scripts/install-test-tools installs it"
        )
    return found


def do_without(missing: str) -> NoReturn:
    """Skip the test and give the reason, or fail it if nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


def machine_cannot(ability: Ability, why: str) -> NoReturn:
    """Skip the test, or fail it if the machine is declared able. The reason is the same for all
    tests of a run, so that the summary shows it once, with their number (tests/conftest.py)."""
    first = _reasons.setdefault(ability, " ".join(why.split()))
    reason = f"{CANNOT} {ability}: {first}"
    if ability in os.environ.get("TEST_MACHINE_CAN", "").split():
        pytest.fail(f"{reason} ($TEST_MACHINE_CAN says that it does)", pytrace=False)
    pytest.skip(reason)


def needs_root() -> None:
    """Skip a test that acts as another user, which only root may do."""
    if os.geteuid() != 0:
        machine_cannot("root", "the tests do not run as root")


def needs_root_and_readers() -> None:
    """Skip a test that runs the project as another user if that user cannot read it."""
    needs_root()
    for folder in (ROOT, *ROOT.parents):
        if folder.stat().st_mode & 0o005 != 0o005:
            machine_cannot("other-users", f"only its owner may read {folder}")


@cache
def _listed() -> dict[str, Tool]:
    lines = (ROOT / "scripts" / "test-tools.txt").read_text("utf-8").splitlines()
    rows = (line.split("|", 3) for line in lines if line and not line.startswith("#"))
    return {name.strip(): Tool(where.strip(), check.strip()) for name, where, _, check in rows}


@cache
def _find(tool: Tool) -> Path | None:
    where = tool.where.replace("$cache", str(CACHE))
    path = f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM}"
    found = shutil.which(where, path=path) if "/" not in where else ROOT / where
    if found is None or not Path(found).exists() or not _works(tool.check, path):
        return None
    return Path(found)


def _works(check: str, path: str) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            ["sh", "-c", check],
            cwd=ROOT,
            env={**os.environ, "PATH": path, "cache": str(CACHE), "scratch": scratch},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    return done.returncode == 0
