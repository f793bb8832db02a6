"""From the end of DATA to the spool: which route a submission takes, and what is kept of it."""
