"""One TCP connection: octets in and out, the PROXY protocol, the transcript."""
