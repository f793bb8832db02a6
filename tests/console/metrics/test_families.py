"""What Prometheus reads: valid, bounded, and what it says."""

from datetime import UTC, datetime, timedelta

from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from graphrelay.console.metrics.counts import Counts
from graphrelay.console.metrics.families import MOST_LANES, Families
from graphrelay.console.metrics.snapshot import Snapshot
from graphrelay.control.verb import Output
from tests.console.conftest import FIGURES, STATUS

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR_AGO = (NOON - timedelta(hours=1)).isoformat()
LANE: Output = {
    "account": "website",
    "mailbox": "wp@contoso.com",
    "state": "open",
    "waiting": 3,
    "in_flight": 2,
    "oldest": HOUR_AGO,
    "budgets": [{"what": "messages", "used": 5, "most": 30}],
}


def values(
    lanes: list[Output], counts: Counts | None = None, **changed: object
) -> dict[tuple[str, tuple[str, ...]], float]:
    """Each sample by its name and the values of its labels, in the order of their names."""
    snapshot = Snapshot({**FIGURES, **changed}, lanes, [STATUS])
    registry = Families(counts or Counts(), snapshot, NOON).registry()
    text = generate_latest(registry).decode()  # type: ignore[no-untyped-call]
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        for sample in family.samples
    }


def test_the_queue_the_lanes_and_the_accounts_are_there() -> None:
    found = values([LANE], oldest=HOUR_AGO)
    lane = ("website", "wp@contoso.com")
    assert found["graphrelay_queue_messages", ("queued",)] == 3
    assert found["graphrelay_queue_oldest_seconds", ()] == 3600
    assert found["graphrelay_lane_waiting", lane] == 3
    assert found["graphrelay_lane_paused", lane] == 0
    assert found["graphrelay_lane_oldest_seconds", lane] == 3600
    assert found["graphrelay_budget_limit", (*lane, "messages")] == 30
    assert found["graphrelay_account_authorized", ("website",)] == 1
    assert found["graphrelay_disk_free_bytes", ()] == FIGURES["free"]
    assert found["process_resident_memory_bytes", ()] > 1_000_000


def test_how_long_commits_take_and_when_a_token_expires() -> None:
    found = values([])
    assert found["graphrelay_commit_seconds_bucket", ("0.0025",)] == 5
    assert found["graphrelay_commit_seconds_bucket", ("+Inf",)] == 6
    assert found["graphrelay_commit_seconds_sum", ()] == 0.5
    assert not [name for name, _ in found if "fsync" in name], "there are no files of messages"
    expires = (NOON + timedelta(hours=1)).timestamp()
    assert found["graphrelay_token_expires_timestamp_seconds", ("website",)] == expires


def test_a_disk_of_another_machine_has_no_figure() -> None:
    assert ("graphrelay_disk_free_bytes", ()) not in values([], free=None)


def test_however_many_lanes_there_are_the_labels_stay_few() -> None:
    lanes = [{**LANE, "mailbox": f"m{n}@contoso.com", "waiting": n} for n in range(1_000)]
    lanes.append({**LANE, "state": "paused", "waiting": 0, "oldest": None})
    found = values(lanes)
    named = [labels for name, labels in found if name == "graphrelay_lane_waiting"]
    assert len(named) == MOST_LANES + 1
    assert ("website", "m999@contoso.com") in named
    assert found["graphrelay_lane_waiting", ("other", "other")] == sum(range(900))
    assert found["graphrelay_lane_paused", ("other", "other")] == 1


def test_counts_and_histograms_are_as_prometheus_has_them() -> None:
    counts = Counts()
    counts.accepted["127.0.0.1:2525"] += 2
    counts.attempts["website", "relayed", "202", "none"] += 1
    counts.refused["RCPT", "550", "5.7.1"] += 4
    counts.relayed["website"] += 1
    counts.relayed_octets["website"] += 1_000
    counts.under_way.add(0.3)
    found = values([], counts)
    assert found["graphrelay_accepted_messages_total", ("127.0.0.1:2525",)] == 2
    assert found["graphrelay_attempts_total", ("website", "none", "202", "relayed")] == 1
    assert found["graphrelay_refused_total", ("550", "RCPT", "5.7.1")] == 4
    assert found["graphrelay_relayed_messages_total", ("website",)] == 1
    assert found["graphrelay_relayed_bytes_total", ("website",)] == 1_000
    assert found["graphrelay_relay_seconds_bucket", ("0.25",)] == 0
    assert found["graphrelay_relay_seconds_bucket", ("0.5",)] == 1
    assert found["graphrelay_relay_seconds_count", ()] == 1
