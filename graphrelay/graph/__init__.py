"""Microsoft Graph, as far as the relay needs it: submit a message, and report the outcome.

    relay ── OctetSource ──▶ session ── token, connection ──▶ Graph
                                │
            Outcome ◀── outcome ◀── answer

`clouds` and `tls` are used for Entra ID as well: the trusted certificates and the proxy are
the same there.
"""
