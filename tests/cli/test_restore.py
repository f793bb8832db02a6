"""`graphrelay restore`: the rest is in test_backup.py, beside what it restores."""

from pathlib import Path

import pytest

from tests.e2e.commands import graphrelay


async def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    asked = await graphrelay(tmp_path / "config.toml", "restore", str(tmp_path / "none.tar"))
    assert asked.code == 1
    assert f"No such file or directory: '{tmp_path / 'none.tar'}'" in asked.err


@pytest.mark.parametrize("verb", ["backup", "restore"])
async def test_a_queue_in_postgresql_is_not_ours_to_copy(tmp_path: Path, verb: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[spool]\nurl = 'postgresql://relay@db.example/mail'\n", "utf-8")
    asked = await graphrelay(config, verb, str(tmp_path / "x.tar"))
    assert asked.code == 1
    assert "the queue is in PostgreSQL" in asked.err
