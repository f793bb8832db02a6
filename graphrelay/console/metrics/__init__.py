"""What monitoring asks: figures for Prometheus, and whether the relay is healthy.

    journal ─▶ Counts ──────────────┐
    verbs: figures, lanes, status ──┴─▶ families ─▶ /metrics
                                    └─▶ health ───▶ /healthz, /readyz

Labels are bounded, whatever clients and Microsoft write: each has a fixed set of values, or those
of the configuration, and beyond a limit what is left is `other`.
"""
