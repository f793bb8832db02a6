"""What an administrator reads when a spool cannot be opened says whose it is, and what to do."""

from pathlib import Path

import pytest

from graphrelay.spool.errors import SpoolInUse, SpoolTooNew


@pytest.mark.parametrize(
    ("pid", "owner"), [(4711, "process 4711"), (None, "another process"), (0, "another process")]
)
def test_a_spool_in_use_names_its_owner_where_it_is_known(pid: int | None, owner: str) -> None:
    error = SpoolInUse(Path("/var/spool"), pid)
    assert error.pid == pid
    assert str(error).startswith(f"The spool /var/spool is in use by {owner}.")


def test_a_spool_that_is_too_new_names_both_versions_and_the_two_ways_out() -> None:
    said = str(SpoolTooNew(Path("/var/spool"), 9, 7))
    assert "has schema version 9; this program supports up to 7" in said
    assert "Install the newer graphrelay again, or restore the copy" in said
