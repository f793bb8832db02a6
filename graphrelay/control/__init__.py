"""Controlling a running relay through its Unix socket: status, authorize, queue, log.

    graphrelay VERB ── control.sock ──▶ ControlServer ──▶ verb ──▶ spool, tokens, queue

The command line asks the daemon instead of using its files, so that root writes no file of its own
there and SQLite has one owner. With no daemon running, the same verbs run in the process of the
command line. The mode of the socket and the peer's uid decide who may ask.
"""
