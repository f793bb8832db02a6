"""`graphrelay files`: units, man pages and completions of this version."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from graphrelay.cli import cli
from graphrelay.cli.files import PROGRAM, all_files
from tests.tools import ROOT, needs


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("files") / "new" / "folder"
    done = CliRunner().invoke(cli, ["files", "--to", str(target)])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [str(target / path) for path, _ in all_files(Path("x"))]
    return target


def test_the_unit_starts_the_program_that_wrote_it(written: Path) -> None:
    unit = (written / "systemd" / "graphrelay.service").read_text()
    assert f"ExecStart={sys.prefix}/bin/graphrelay serve" in unit
    assert f"ExecReload={sys.prefix}/bin/graphrelay reload" in unit
    assert PROGRAM in (ROOT / "systemd" / "graphrelay.service").read_text()


def test_what_is_below_systemd_in_the_checkout_is_written(written: Path) -> None:
    def below(folder: Path) -> set[str]:
        return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

    assert below(written / "systemd") == below(ROOT / "systemd")


def test_the_example_is_written_as_it_is(written: Path) -> None:
    example = (ROOT / "config.example.toml").read_bytes()
    assert (written / "config.example.toml").read_bytes() == example


@pytest.mark.parametrize(
    "page", ["man1/graphrelay.1", "man5/graphrelay.toml.5", "man8/graphrelay-sendmail.8"]
)
def test_a_man_page_is_sound(written: Path, page: str) -> None:
    found = subprocess.run(
        [needs("mandoc"), "-Tlint", "-Wwarning", written / "man" / page],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout + found.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_is_a_script_of_its_shell(written: Path, shell: str) -> None:
    name = {"bash": "graphrelay.bash", "zsh": "_graphrelay", "fish": "graphrelay.fish"}[shell]
    script = written / "completions" / name
    assert f"_GRAPHRELAY_COMPLETE={shell}_complete" in script.read_text()
    if program := shutil.which(shell):
        subprocess.run([program, "-n", script], check=True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(cli, ["files", "--to", str(tmp_path / "file" / "below")])
    assert done.exit_code == 1
    assert f"cannot write {tmp_path}/file" in done.stderr


def test_a_wheel_carries_them(tmp_path: Path) -> None:
    """Built without an index: the backend is one of the tests' packages."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from pathlib import Path\n"
        "from graphrelay.cli import files\n"
        f"assert files.__file__.startswith({str(tmp_path)!r})\n"
        "files._CHECKOUT = Path('/nonexistent')\n"
        "print(len(list(files.all_files(Path('/x')))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == len(list(all_files(Path("x"))))
