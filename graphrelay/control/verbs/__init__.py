"""What can be asked of a running relay, a family of verbs a file."""
