"""Files beside the database: large bodies and the lock; the free space on the disk."""
