"""Monitoring: metrics for Prometheus, and whether the relay is healthy.

    journal ─▶ Counts ──────────────┐
    verbs: figures, lanes, status ──┴─▶ families ─▶ /metrics
                                    └─▶ health ───▶ /healthz, /readyz

The number of labels is bounded, whatever clients and Microsoft send: the values of each are fixed
or come from the configuration, and beyond a limit the rest become `other`.
"""
