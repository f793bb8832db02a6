"""From the end of DATA to the spool: which route a message takes, and what is stored."""
