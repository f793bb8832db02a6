"""A real relay whose authorizations are kept by a process of its own."""

import asyncio
from pathlib import Path

from tests.e2e.kill_nine import emptied, relaying


def children(pid: int) -> list[int]:
    """The processes that it has started, and that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = stat.read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(rest.split()[1]) == pid:
            found.append(int(stat.parent.name))
    return found


async def test_a_relay_that_has_sent_mail_has_neither_that_process_nor_what_it_needs(
    tmp_path: Path,
) -> None:
    async with relaying(tmp_path) as (cloud, daemon, flood):
        await daemon.authorize()
        await daemon.start()
        await flood.greeted()
        await flood.send(4, 2)
        await emptied(daemon, flood, cloud.mailboxes.submissions)
        pid = daemon.pid
        async with asyncio.timeout(30):
            while children(pid):  # noqa: ASYNC110 (nothing says when a process ends)
                await asyncio.sleep(0)
        libraries = Path(f"/proc/{pid}/maps").read_text()
        assert "libsqlite3" in libraries
        assert "cryptography" not in libraries
        await daemon.stop()
