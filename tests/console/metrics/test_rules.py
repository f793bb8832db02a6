"""The alert rules and the dashboard in docs/monitoring: valid, and about metrics that there are."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest

from graphrelay.console.metrics.counts import Counts
from graphrelay.console.metrics.families import Families
from graphrelay.console.metrics.snapshot import Snapshot
from tests.console.conftest import FIGURES, STATUS
from tests.console.metrics.test_families import LANE
from tests.tools import ROOT, needs

MONITORING = ROOT / "docs" / "monitoring"
RULES = MONITORING / "graphrelay.rules.yml"
DASHBOARD = MONITORING / "grafana.json"
HERE = Path(__file__).parent


def exposition() -> str:
    counts = Counts()
    counts.accepted["127.0.0.1:2525"] += 1
    counts.attempts["website", "relayed", "202", "none"] += 1
    counts.refused["RCPT", "550", "5.7.1"] += 1
    counts.relayed["website"] += 1
    status = {**STATUS, "lapses_at": STATUS["refreshed_at"]}
    status["credential_ends_at"] = STATUS["refreshed_at"]
    figures = {**FIGURES, "fsync": FIGURES["commit"]}
    snapshot = Snapshot(figures, [LANE], [status])
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    return generate_latest(Families(counts, snapshot, now).registry()).decode()


def promtool(*arguments: object, given: str = "", folder: Path | None = None) -> str:
    done = subprocess.run(
        [needs("promtool"), *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_has_nothing_against_the_metrics() -> None:
    assert promtool("check", "metrics", given=exposition()) == ""


def test_promtool_has_nothing_against_the_rules() -> None:
    assert "8 rules found" in promtool("check", "rules", RULES)


def test_each_alert_fires_for_what_it_is_about(tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path)
    shutil.copy(HERE / "rules-test.yml", tmp_path)
    assert "SUCCESS" in promtool("test", "rules", "rules-test.yml", folder=tmp_path)


def test_rules_and_dashboard_ask_for_metrics_that_there_are() -> None:
    samples = set(re.findall(r"(?m)^(\w+)[ {]", exposition()))
    asked = {name for text in expressions() for name in re.findall(r"graphrelay_\w+", text)}
    assert len(asked) > 12
    assert asked - samples == set()


def expressions() -> Iterator[str]:
    yield from re.findall(r"expr: (.*)", RULES.read_text("utf-8"))
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
