"""The database: its schema, the single writing thread, and the readers."""
