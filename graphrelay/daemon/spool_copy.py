"""Taking the queue from one engine to the other (`graphrelay spool copy`)."""

from datetime import UTC, datetime
from pathlib import Path

from graphrelay.oauth.vault.files import Folder
from graphrelay.oauth.vault.values import SERVICE
from graphrelay.spool.copying import Copied, Progress, copy_queue
from graphrelay.spool.sqlite import rows as sqlite


def copy_spool(directory: Path, url: str, progress: Progress, *, back: bool) -> Copied:
    """From the state directory to the database of `url`, or `back`.

    Raises `CannotCopy`, `NotTheSame`, `SpoolInUse`, `SpoolTooNew`, `StorageUnavailable`.
    """
    from graphrelay.spool.postgres import rows as postgres  # psycopg need not be installed

    vaults = sqlite.Vaults(Folder, SERVICE)
    with (
        sqlite.open_queue(directory, vaults) as ours,
        postgres.open_queue(url, SERVICE) as shared,
    ):
        now = datetime.now(UTC)
        if back:
            return copy_queue(shared, ours, progress, now)
        return copy_queue(ours, shared, progress, now)
