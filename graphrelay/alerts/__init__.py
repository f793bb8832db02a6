"""Alerts to people by other channels than mail, since mail may be what is broken.

    journal ── Event ──▶ Watch ── Alert ──▶ webhooks, a command, systemd's status line
    spool.stats() ─────▶  ▲ pure

No alert contains anything that a message says. A failure to send an alert never causes another: it
goes to the journal, as an event that means nothing to the Watch.
"""
