"""The control socket: messages, the server in the relay, the client in the command line."""
