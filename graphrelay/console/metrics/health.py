"""Whether the relay is alive and can do its work, as JSON for load balancers and Zabbix.

/healthz   200 while it runs and reads its queue
/readyz    200 while mail that is accepted can be sent soon; 503 with what is wrong
"""

from collections.abc import Iterator
from datetime import datetime

from graphrelay.console.metrics.snapshot import Snapshot
from graphrelay.console.options import HealthLimits


def problems(snapshot: Snapshot, limits: HealthLimits, now: datetime) -> Iterator[str]:
    """The reasons why it is not ready, one sentence each."""
    if not snapshot.accounts:
        yield "no account is configured"
    for found in snapshot.accounts:
        if not found["well"]:
            yield f"account {found['account']}: {found['status']}"
    oldest, free = snapshot.figures["oldest"], snapshot.figures["free"]
    if oldest and now - datetime.fromisoformat(oldest) > limits.queue_older_than:
        yield f"the oldest message has been waiting since {oldest}"
    if free is not None and free < limits.disk_below:
        yield f"{free // 1_000_000} MB are left on the disk"
