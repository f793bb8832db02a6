"""Files beside the database: large bodies, the lock, the room on the disk."""
