"""Opening a spool: check, migrate, sweep and recover what a crash left."""
