"""Octets of RFC 5322 and MIME, read and written without I/O: nothing here depends on a queue, a
mailbox or a socket."""
