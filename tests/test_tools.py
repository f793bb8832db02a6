"""A missing program never passes for a test that ran."""

import shutil
from pathlib import Path

import pytest

from tests import tools


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the list says of some programs, in place of the real one."""
    rows = {
        "there": "sh",
        "gone": "no-such-program",
        "file": str(Path(__file__)),
        "no file": "/no/such/file",
        "no cache": "cache:no/such/file",
    }
    monkeypatch.setattr(tools, "_places", lambda: rows)
    return rows


def test_what_is_there_is_told_where(places: dict[str, str]) -> None:
    assert str(tools.needs("there")) == shutil.which("sh")
    assert tools.needs("file") == Path(__file__)


@pytest.mark.parametrize("name", ["gone", "no file", "no cache"])
def test_what_is_missing_skips_the_test_and_names_the_remedy(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"missing .*: scripts/install-test-tools"):
        tools.needs(name)


@pytest.mark.parametrize("name", ["gone", "no file", "no cache"])
def test_what_is_missing_fails_the_test_in_continuous_integration(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="missing"):
        tools.needs(name)


@pytest.mark.parametrize(
    ("told", "there"), [("a.so => /lib/a.so", True), ("a.so => not found", False)]
)
def test_an_unpacked_program_is_missing_as_long_as_a_library_of_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, there: bool
) -> None:
    for name in ("ldd", "program"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{told}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(tools, "CACHE", tmp_path)
    monkeypatch.setattr(tools, "_places", lambda: {"unpacked": "cache:program"})
    monkeypatch.delenv("CI", raising=False)
    tools._find.cache_clear()
    if there:
        assert tools.needs("unpacked") == tmp_path / "program"
    else:
        with pytest.raises(pytest.skip.Exception, match="unpacked is missing"):
            tools.needs("unpacked")


def test_a_name_that_is_not_in_the_list_is_a_mistake_of_the_test(places: dict[str, str]) -> None:
    with pytest.raises(KeyError):
        tools.needs("a typo")


def test_the_real_list_can_be_read() -> None:
    assert {"swaks", "chromium", "gnome-keyring", "systemd"} <= tools._places().keys()
