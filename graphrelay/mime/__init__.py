"""Octets of RFC 5322 and MIME, read and written without I/O: nothing here knows a queue, a
mailbox or a socket."""
