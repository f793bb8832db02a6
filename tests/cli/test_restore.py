"""`graphrelay restore`: the rest is in test_backup.py, beside what it restores."""

from pathlib import Path

from tests.e2e.commands import graphrelay


async def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    asked = await graphrelay(tmp_path / "config.toml", "restore", str(tmp_path / "none.tar"))
    assert asked.code == 1
    assert f"No such file or directory: '{tmp_path / 'none.tar'}'" in asked.err
