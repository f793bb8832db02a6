"""The embedded engine: one SQLite database and a folder of large bodies."""
