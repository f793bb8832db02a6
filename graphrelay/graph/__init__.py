"""Microsoft Graph, as the relay needs it: submit a message, and say what came of it.

    relay ── OctetSource, token ──▶ client ── connection ──▶ Graph
                                       │
                   Outcome ◀── outcome ◀── answer

`clouds` and `tls` serve the oauth room as well, which is handed their values: the trust in a
certificate and the way to the internet are the same for Entra ID and for Graph.
"""
