"""Rules without I/O: when the next attempt is made, who goes out apart, what a lane may send."""
