"""What waits, lane by lane, and when each message has its turn."""
