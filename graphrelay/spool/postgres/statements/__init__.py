"""The SQL of each verb of the spool."""
