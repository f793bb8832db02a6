"""What a running daemon answers on its Unix socket: status, authorize, queue, log.

    graphrelay VERB ── control.sock ──▶ Conversation ──▶ verb ──▶ spool, tokens, queue

An admin's command line asks the daemon instead of touching its files, so that root writes no
secret of its own and SQLite has one owner. With no daemon running, the same verbs run in the
command line's own process. Who may ask is decided by the socket's mode and the peer's uid.
"""
