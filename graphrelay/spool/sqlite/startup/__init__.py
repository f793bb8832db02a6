"""Opening a spool: checking, migrating, and recovering from a crash."""
