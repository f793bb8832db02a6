"""`graphrelay init`: a configuration that passes `check-config`, and the commands to run next."""

from pathlib import Path

from tests.guide.making import APPLICATION, IDS, USER, init, made


def test_the_next_commands_are_shown_for_this_file(tmp_path: Path) -> None:
    _, shown = made(tmp_path, *USER, *IDS)
    called = f"graphrelay --config {tmp_path / 'config.toml'}"
    following = shown.split("Next:")[1]
    for command in ("serve", "authorize website", "status website --probe"):
        assert f"{called} {command}" in following


def test_files_that_are_still_missing_are_named(tmp_path: Path) -> None:
    options = ("--scenario", "any-user", *APPLICATION, *IDS, "--credential", "certificate")
    _, shown = made(tmp_path, *options)
    assert f"put the certificate into {tmp_path / 'website.pem'}" in shown


def test_the_steps_in_the_portal_come_before_the_file_is_written(tmp_path: Path) -> None:
    shown = init(tmp_path, "--yes", *USER).output
    assert shown.index("1. https://entra.microsoft.com") < shown.index("written:")
