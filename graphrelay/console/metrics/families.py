"""Figures in the form that Prometheus reads (OpenMetrics).

https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import isinf
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import CollectorRegistry

from graphrelay import __version__
from graphrelay.console.metrics.counts import OTHER, Counts
from graphrelay.console.metrics.snapshot import Snapshot
from graphrelay.control.verb import Output

MOST_LANES: Final = 100
"""Lanes by name, those in which most waits; what is left is added up as `other`."""
LANE: Final = ("account", "mailbox")


class Families:
    """A collector over one snapshot."""

    def __init__(self, counts: Counts, snapshot: Snapshot, now: datetime) -> None:
        self._counts = counts
        self._snapshot = snapshot
        self._now = now

    def registry(self) -> CollectorRegistry:
        """With the memory, CPU and files of this process."""
        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        registry.register(self)
        return registry

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        yield InfoMetricFamily("graphrelay", "This program.", value={"version": __version__})
        yield from self._counted()
        yield from self._queue()
        yield from self._storage()
        yield from self._lanes()
        yield from self._budgets()
        yield from self._accounts()

    def _counted(self) -> Iterator[Metric]:
        counts = self._counts
        accepted = CounterMetricFamily(
            "graphrelay_accepted_messages", "Messages answered with 250.", labels=["listener"]
        )
        for listener, count in sorted(counts.accepted.items()):
            accepted.add_metric([listener], count)
        yield accepted
        yield CounterMetricFamily(
            "graphrelay_accepted_bytes", "Octets of accepted messages.", value=counts.octets
        )
        refused = CounterMetricFamily(
            "graphrelay_refused",
            "Commands that were refused, by the reply and its enhanced status code (RFC 3463).",
            labels=["stage", "code", "status"],
        )
        for labels, count in sorted(counts.refused.items()):
            refused.add_metric(list(labels), count)
        yield refused
        attempts = CounterMetricFamily(
            "graphrelay_attempts",
            "Attempts to send, by what came of them.",
            labels=["account", "outcome", "http", "code"],
        )
        for tried, count in sorted(counts.attempts.items()):
            attempts.add_metric(list(tried), count)
        yield attempts
        yield from self._relayed()
        yield _histogram(
            "graphrelay_submit_seconds",
            "From an attempt to Graph's 202.",
            *counts.submitting.read(),
        )
        yield _histogram(
            "graphrelay_relay_seconds", "From the 250 to the 202.", *counts.under_way.read()
        )

    def _relayed(self) -> Iterator[Metric]:
        messages = CounterMetricFamily(
            "graphrelay_relayed_messages",
            "Messages that Graph took (202); in several parts, once for each.",
            labels=["account"],
        )
        octets = CounterMetricFamily(
            "graphrelay_relayed_bytes", "Octets of them.", labels=["account"]
        )
        for account, count in sorted(self._counts.relayed.items()):
            messages.add_metric([account], count)
            octets.add_metric([account], self._counts.relayed_octets[account])
        yield from (messages, octets)

    def _storage(self) -> Iterator[Metric]:
        for key, text in (
            ("commit", "Commits of the database: the relay answers 250 afterwards."),
            ("fsync", "Writing the file of a large message to the disk, with its folder."),
        ):
            if measured := self._snapshot.figures[key]:
                buckets = [(_bound(bound), count) for bound, count in measured["buckets"]]
                yield _histogram(f"graphrelay_{key}_seconds", text, buckets, measured["sum"])

    def _queue(self) -> Iterator[Metric]:
        figures = self._snapshot.figures
        messages = GaugeMetricFamily(
            "graphrelay_queue_messages", "Messages that are not done.", labels=["state"]
        )
        for state in ("queued", "held", "in_flight"):
            messages.add_metric([state], figures[state])
        yield messages
        yield GaugeMetricFamily(
            "graphrelay_queue_bytes", "Octets of all of them.", value=figures["octets"]
        )
        yield GaugeMetricFamily(
            "graphrelay_queue_oldest_seconds",
            "Age of the oldest message that is queued.",
            value=self._age(figures["oldest"]),
        )
        yield GaugeMetricFamily(
            "graphrelay_database_bytes", "Size of the database.", value=figures["database"]
        )
        if figures["free"] is not None:
            yield GaugeMetricFamily(
                "graphrelay_disk_free_bytes", "Left on the disk.", value=figures["free"]
            )

    def _lanes(self) -> Iterator[Metric]:
        families = {
            "waiting": GaugeMetricFamily(
                "graphrelay_lane_waiting", "Messages that wait in a lane.", labels=LANE
            ),
            "in_flight": GaugeMetricFamily(
                "graphrelay_lane_in_flight", "Requests of a lane.", labels=LANE
            ),
            "paused": GaugeMetricFamily(
                "graphrelay_lane_paused", "1 where a lane is paused.", labels=LANE
            ),
            "oldest": GaugeMetricFamily(
                "graphrelay_lane_oldest_seconds", "Age of its oldest message.", labels=LANE
            ),
        }
        ranked = self._ranked()
        for lane in ranked[:MOST_LANES]:
            labels = [lane["account"], lane["mailbox"]]
            families["waiting"].add_metric(labels, lane["waiting"])
            families["in_flight"].add_metric(labels, lane["in_flight"])
            families["paused"].add_metric(labels, float(_is_paused(lane)))
            families["oldest"].add_metric(labels, self._age(lane["oldest"]))
        if rest := ranked[MOST_LANES:]:
            labels = [OTHER, OTHER]
            families["waiting"].add_metric(labels, sum(lane["waiting"] for lane in rest))
            families["in_flight"].add_metric(labels, sum(lane["in_flight"] for lane in rest))
            families["paused"].add_metric(labels, sum(map(_is_paused, rest)))
            families["oldest"].add_metric(labels, max(self._age(lane["oldest"]) for lane in rest))
        yield from families.values()

    def _budgets(self) -> Iterator[Metric]:
        labels = [*LANE, "what"]
        used = GaugeMetricFamily("graphrelay_budget_used", "Used in its window.", labels=labels)
        most = GaugeMetricFamily("graphrelay_budget_limit", "What may be used.", labels=labels)
        for lane in self._ranked()[:MOST_LANES]:
            for use in lane["budgets"]:
                named = [lane["account"], lane["mailbox"], use["what"]]
                used.add_metric(named, use["used"])
                most.add_metric(named, use["most"])
        yield used
        yield most

    def _accounts(self) -> Iterator[Metric]:
        authorized = GaugeMetricFamily(
            "graphrelay_account_authorized", "1 where an account can send.", labels=["account"]
        )
        lapses = GaugeMetricFamily(
            "graphrelay_authorization_lapses_timestamp_seconds",
            "When an authorization lapses that is not used.",
            labels=["account"],
        )
        expires = GaugeMetricFamily(
            "graphrelay_token_expires_timestamp_seconds",
            "When the newest access token expires; it is renewed well before.",
            labels=["account"],
        )
        ends = GaugeMetricFamily(
            "graphrelay_credential_ends_timestamp_seconds",
            "When the credential of an application expires.",
            labels=["account"],
        )
        for found in self._snapshot.accounts:
            authorized.add_metric([found["account"]], float(found["well"]))
            for family, key in (
                (expires, "token_expires_at"),
                (lapses, "lapses_at"),
                (ends, "credential_ends_at"),
            ):
                if moment := found.get(key):
                    at = datetime.fromisoformat(moment).timestamp()
                    family.add_metric([found["account"]], at)
        yield from (authorized, expires, lapses, ends)

    def _ranked(self) -> list[Output]:
        return sorted(self._snapshot.lanes, key=lambda lane: -int(lane["waiting"]))

    def _age(self, since: str | None) -> float:
        if not since:
            return 0.0
        return max(0.0, (self._now - datetime.fromisoformat(since)).total_seconds())


def _histogram(
    name: str, text: str, buckets: Sequence[tuple[float, float]], total: float
) -> Metric:
    named = [("+Inf" if isinf(bound) else str(float(bound)), count) for bound, count in buckets]
    return HistogramMetricFamily(name, text, buckets=named, sum_value=total)


def _bound(bound: float | None) -> float:
    """As JSON has it: without infinity."""
    return float("inf") if bound is None else bound


def _is_paused(lane: Output) -> bool:
    return lane["state"] not in ("open", "resting")
