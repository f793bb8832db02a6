"""The embedded engine: one SQLite database and a folder of large bodies."""

from graphrelay.spool.sqlite.engine import SqliteSpool
from graphrelay.spool.sqlite.files.disk import Disk

__all__ = ["Disk", "SqliteSpool"]
