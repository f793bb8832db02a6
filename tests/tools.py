"""Programs from outside that tests use: `swaks = needs("swaks")`.

One rule: a program that is missing never passes for a test that ran. On a developer's machine the
test is skipped, with the command that installs what is missing; where `CI=true` it fails.
`scripts/test-tools.txt` lists the programs and where they come from.
"""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "test-tools"
_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"


def needs(name: str) -> Path:
    """Where the program is (a folder's or a file's path for what is no program); else skip."""
    place = _places()[name]
    found = _find(place)
    if found is None:
        do_without(f"{name} is missing ({place}): scripts/install-test-tools installs it")
    return found


def do_without(missing: str) -> NoReturn:
    """Skip the test and say why, or fail it where nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@cache
def _places() -> dict[str, str]:
    lines = (ROOT / "scripts" / "test-tools.txt").read_text("utf-8").splitlines()
    rows = (line.split() for line in lines if line and not line.startswith("#"))
    return {row[0]: row[1] for row in rows}


@cache
def _find(place: str) -> Path | None:
    kind, colon, rest = place.partition(":")
    match kind if colon else "":
        case "php":
            code = f"exit(extension_loaded({rest!r}) ? 0 : 1);"
            return _if_it_runs("php", "-r", code)
        case "perl":
            return _if_it_runs("perl", f"-M{rest}", "-e", "1")
        case "cache":
            path = CACHE / rest
            return path if path.exists() and _has_libraries(path) else None
    found = shutil.which(place, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM}")
    return Path(found) if found else _if_it_is_there(place)


def _if_it_is_there(place: str) -> Path | None:
    path = Path(place)
    return path if path.is_absolute() and path.exists() else None


def _has_libraries(path: Path) -> bool:
    """Whether it can be loaded, if it is a program: what is unpacked brings none along."""
    if path.is_dir() or not os.access(path, os.X_OK):
        return True
    told = subprocess.run(["ldd", path], capture_output=True, check=False)
    return b"not found" not in told.stdout


def _if_it_runs(program: str, *arguments: str) -> Path | None:
    path = shutil.which(program)
    if path is None:
        return None
    done = subprocess.run([path, *arguments], capture_output=True, check=False)
    return Path(path) if done.returncode == 0 else None
