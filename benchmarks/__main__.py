"""Speed, memory and start-up of the relay, beside Postfix and bare aiosmtpd that keeps nothing.

    make bench                                         everything, about half an hour
    python -m benchmarks --only acceptance --runs 3

Every acceptance of the relay is durable: the message is on the disk before 250. The relay is not
authorized while acceptance is measured, so that it does that and nothing else; relaying is measured
from a full queue. Figures of one run may be compared with each other, not with those of another
machine or day: trust the ratios. Each figure is the median of the runs.
"""

import argparse
import importlib.util
import os
import platform
import sqlite3
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.acceptance import acceptance
from benchmarks.backlog import backlog
from benchmarks.growth import growth
from benchmarks.in_flight import in_flight, stall
from benchmarks.large import large
from benchmarks.profile import profile
from benchmarks.relaying import relaying, under_load
from benchmarks.sendmail import sendmail
from benchmarks.servers import Cloud, cloud
from benchmarks.standing import standing


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=list(BENCHMARKS), action="append")
    parser.add_argument("--runs", type=int, default=5, help="of each figure (default: 5)")
    parser.add_argument("--directory", type=Path, help="where spools are put (default: temporary)")
    given = parser.parse_args()
    loop = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    print(
        f"Python {platform.python_version()} ({loop}), SQLite {sqlite3.sqlite_version}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, {given.runs} runs"
    )
    with TemporaryDirectory(prefix="graphrelay-bench-", dir=given.directory) as folder:
        for name in given.only or BENCHMARKS:
            print(f"\n## {name}\n", flush=True)
            with cloud(Path(folder, name)) as of:
                BENCHMARKS[name](of, Path(folder, name), given.runs)


BENCHMARKS: dict[str, Callable[[Cloud, Path, int], None]] = {
    "acceptance": acceptance,
    "in-flight": in_flight,
    "stall": stall,
    "relaying": relaying,
    "under-load": under_load,
    "standing": standing,
    "profile": profile,
    "large": lambda _, folder, runs: large(folder, runs),
    "backlog": backlog,
    "sendmail": sendmail,
    "growth": lambda _cloud, _folder, runs: growth(runs),
}

if __name__ == "__main__":
    main()
