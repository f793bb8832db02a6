"""The dialog of one connection: state, TLS and AUTH, the transaction, the message."""
