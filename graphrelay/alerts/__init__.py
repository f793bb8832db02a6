"""Alerts to people by other ways than mail, since mail may be what is broken.

    journal ── Entry ──▶ Watch ── Alert ──▶ webhooks, a command, systemd's status line
    spool.stats() ──────▶  ▲ pure

Nothing that a message says is in an alert, and no failure to send one is ever a cause of another:
it goes to the journal, where the Watch has no ears for it.
"""
