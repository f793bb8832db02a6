"""A test that lacks something is never counted as passed."""

import shutil
from pathlib import Path

import pytest

from tests import tools
from tests.tools import Tool

TOOLS = {
    "there": Tool("sh", "true"),
    "file": Tool(str(Path(__file__)), "true"),
    "gone": Tool("no-such-program", "true"),
    "no file": Tool("/no/such/file", "true"),
    "no cache": Tool("$cache/no/such/file", "true"),
    "broken": Tool("sh", "echo 'a library that it needs is not there' >&2; exit 1"),
}
UNUSABLE = ["gone", "no file", "no cache", "broken"]


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some programs in place of the real list, and no earlier skips."""
    monkeypatch.setattr(tools, "_listed", lambda: TOOLS)
    monkeypatch.setattr(tools, "_reasons", {})


def test_what_is_there_is_listed_with_its_place() -> None:
    assert str(tools.needs("there")) == shutil.which("sh")
    assert tools.needs("file") == Path(__file__)


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_is_missing_skips_the_test_and_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"missing.*: scripts/install-test-tools"):
        tools.needs(name)


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_is_missing_fails_the_test_in_continuous_integration(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="missing"):
        tools.needs(name)


def test_a_check_may_use_the_cache_and_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "CACHE", tmp_path)
    (tmp_path / "program").write_text("echo works\n")
    check = '. "$cache/program" >"$scratch/said" && grep works "$scratch/said"'
    monkeypatch.setitem(TOOLS, "unpacked", Tool("$cache/program", check))
    assert tools.needs("unpacked") == tmp_path / "program"


def test_a_name_that_is_not_in_the_list_is_a_mistake_of_the_test() -> None:
    with pytest.raises(KeyError):
        tools.needs("a typo")


@pytest.mark.parametrize("ci", ["", "true"])
def test_what_the_kernel_does_not_allow_skips_the_test_in_continuous_integration_too(
    monkeypatch: pytest.MonkeyPatch, ci: str
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("TEST_MACHINE_CAN", "root mounts")
    with pytest.raises(pytest.skip.Exception, match="does not allow namespaces: unshare failed"):
        tools.machine_cannot("namespaces", "unshare\n failed\n")


def test_one_reason_stands_for_all_tests_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_MACHINE_CAN", raising=False)
    for why in ("/tmp/a: denied", "/tmp/b: denied"):
        with pytest.raises(pytest.skip.Exception, match="does not allow mounts: /tmp/a: denied"):
            tools.machine_cannot("mounts", why)


def test_what_the_machine_is_said_to_allow_must_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_MACHINE_CAN", "root namespaces")
    with pytest.raises(pytest.fail.Exception, match="does not allow namespaces"):
        tools.machine_cannot("namespaces", "unshare failed")


def test_the_real_list_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = tools._listed()
    assert {"swaks", "chromium", "gnome-keyring", "systemd", "cc"} <= found.keys()
    assert all(tool.where and tool.check for tool in found.values())
