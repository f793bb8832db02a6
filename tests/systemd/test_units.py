"""The units, as systemd's own tools judge them."""

import re
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.tools import ROOT, needs

UNITS = ROOT / "systemd"
PROGRAM = "/opt/graphrelay/bin/graphrelay"


def analyze(*arguments: str | Path) -> str:
    """The output of systemd-analyze on both streams; any exit status except 0 fails the test."""
    done = subprocess.run(
        [needs("systemd"), *arguments], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with a program that exists: systemd checks that it does."""
    for unit in ("graphrelay.service", "graphrelay.socket"):
        text = (UNITS / unit).read_text("utf-8")
        (tmp_path / unit).write_text(text.replace(PROGRAM, "/bin/true"), "utf-8")
    return tmp_path


@pytest.mark.parametrize("unit", ["graphrelay.service", "graphrelay.socket"])
def test_systemd_finds_nothing_wrong(units: Path, unit: str) -> None:
    assert analyze("verify", "--man=no", units / unit) == ""


def test_systemd_would_find_what_is_wrong(units: Path) -> None:
    service = units / "graphrelay.service"
    service.write_text(service.read_text("utf-8").replace("Type=notify", "Type=sometimes"), "utf-8")
    assert re.search("Failed to parse (service type|Type=)", analyze("verify", "--man=no", service))


def test_the_exposure_is_2_0_or_better(units: Path) -> None:
    said = analyze(
        *("security", "--offline=true", "--no-pager", "--threshold=20"),
        units / "graphrelay.service",
    )
    verdict = re.search(r"Overall exposure level .*: ([0-9.]+)", said)
    assert verdict is not None
    assert float(verdict[1]) <= 2.0


def test_a_process_that_was_killed_for_its_memory_does_not_stop_the_relay() -> None:
    """By default systemd stops the service, with what would have started another process."""
    assert "\nOOMPolicy=continue\n" in (UNITS / "graphrelay.service").read_text("utf-8")


def test_the_user_is_made_by_sysusers(tmp_path: Path) -> None:
    program = needs("sysusers")
    (tmp_path / "etc").mkdir()
    done = subprocess.run(
        [program, f"--root={tmp_path}", UNITS / "sysusers.d" / "graphrelay.conf"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    entry = (tmp_path / "etc" / "passwd").read_text("utf-8")
    assert entry.startswith("graphrelay:x:")
    assert entry.rstrip().endswith(":/var/lib/graphrelay:/usr/sbin/nologin")


def test_the_socket_is_named_as_the_documentation_says() -> None:
    socket = ConfigParser(strict=False, interpolation=None)
    socket.read(UNITS / "graphrelay.socket", "utf-8")
    name = socket["Socket"]["FileDescriptorName"]
    assert f'address = "systemd:{name}"' in (UNITS / "graphrelay.socket").read_text("utf-8")
    assert f'address = "systemd:{name}"' in (ROOT / "docs" / "operations.md").read_text("utf-8")


def test_the_units_and_the_documentation_name_the_same_program() -> None:
    unit = (UNITS / "graphrelay.service").read_text("utf-8")
    assert f"ExecStart={PROGRAM} serve" in unit
    assert f"ExecReload={PROGRAM} reload\n" in unit
    assert PROGRAM in (ROOT / "docs" / "operations.md").read_text("utf-8")
