"""The database: its schema, the one thread that writes, readers beside it."""
