"""One attempt: from a message taken from the queue to its recorded outcome."""
