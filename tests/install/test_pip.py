"""What `pip install .` and `pipx install .` make of a checkout: it can then be deleted."""

import shutil
import signal
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.cli.test_demo import demo_of
from tests.tools import ROOT

KEPT = ("graphrelay", "systemd", "docs/sendmail.8", "README.md", "config.example.toml")
LEFT_BEHIND = ("build/lib/graphrelay/gone.py", ".venv/lib/own.py", "dist/old.whl", ".cache/x.py")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """What pip makes, without an index: the build backend is one of the tests' packages."""
    checkout = tmp_path / "checkout"
    for name in (*KEPT, "pyproject.toml", ".gitignore"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, checkout / name)
    for name in LEFT_BEHIND:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("")
    pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, checkout)
    shutil.rmtree(checkout)
    (made,) = tmp_path.glob("*.whl")
    return made


def pip(python: str | Path, *words: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    subprocess.run([*command, "--python", python, *words, "--no-index"], check=True)


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The folder of the programs in an environment of its own; the libraries are those of the
    tests."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    pip(environment / "bin/python", "install", "--no-deps", wheel)
    return environment / "bin"


def test_nothing_of_a_used_checkout_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in names} == {"graphrelay"}
    assert not [name for name in names if name.endswith(".pyc") or "gone.py" in name]


def test_what_is_installed_runs_the_demo_and_has_units_example_and_man_pages(
    installed: Path, tmp_path: Path
) -> None:
    with demo_of(installed / "graphrelay", cwd=tmp_path) as demo:
        subprocess.run(["bash", "-c", demo.command("Python")], check=True, timeout=30)
        assert "202" in demo.until("relayed")
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(30) == 0
    subprocess.run([installed / "graphrelay", "files", "--to", tmp_path / "files"], check=True)
    for name in ("systemd/graphrelay.service", "man/man1/graphrelay.1", "config.example.toml"):
        assert (tmp_path / "files" / name).stat().st_size, name
    unit = (tmp_path / "files/systemd/graphrelay.service").read_text("utf-8")
    assert f"ExecStart={installed}/graphrelay serve" in unit
