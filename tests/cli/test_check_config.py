"""`graphrelay check-config`: every mistake, and a status."""

from pathlib import Path

from tests.cli.test_commands import run

ROOT = Path(__file__).parents[2]
BAD = ROOT / "tests" / "config" / "bad" / "everything-at-once.toml"
EXAMPLE = ROOT / "config.example.toml"


def test_check_config_says_every_mistake_and_ends_with_78() -> None:
    shown = run("--config", str(BAD), "check-config")
    assert shown.returncode == 78
    expected = BAD.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
    assert shown.stderr.splitlines() == [f"{BAD}: {line}" for line in expected]


def test_check_config_says_that_the_example_is_fine() -> None:
    shown = run("--config", str(EXAMPLE), "check-config")
    assert shown.returncode == 0
    assert f"{EXAMPLE} is fine" in shown.stdout
