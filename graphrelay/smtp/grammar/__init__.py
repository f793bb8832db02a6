"""What RFC 5321 lets a client write, and what is answered: no I/O."""
