"""The SMTP server, on aiosmtpd.

Clients connect to listeners, each has a conversation, and what they send goes to a
`model.Reception`. This room depends on nothing else of the relay.

    Server ── Listener … ──▶ Conversation ── ConnectionBuffer ── DataReader ──▶ Reception.accept
"""
