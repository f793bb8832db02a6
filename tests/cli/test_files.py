"""`graphrelay files`: units, man pages and completions of this version."""

import shutil
import subprocess
import sys
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
