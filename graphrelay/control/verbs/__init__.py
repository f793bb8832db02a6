"""The verbs of the control socket, one family a file."""
