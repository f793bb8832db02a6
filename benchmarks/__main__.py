"""Speed, CPU, memory and start-up, compared with Postfix and bare aiosmtpd.

    make bench                                          everything
    python -m benchmarks accepting both --runs 5        two of them

On two cores each takes a minute or two with three runs. Every acceptance of the relay is durable:
the message is on the disk before 250. Each figure is the median of the runs, followed by the noise
of the machine: `± 4 %` means that half of the range between the smallest and the largest result is
4 % of the median. Figures of one run can be compared with each other, but not with those of another
machine or day: trust the ratios.
"""

import argparse
import importlib.util
import os
import platform
import sqlite3
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.growing import lanes, logged, waiting
from benchmarks.hosts import hosts, shared_growth
from benchmarks.in_flight import in_flight, stall
from benchmarks.large import large
from benchmarks.latency import final_dot, latency
from benchmarks.profile import profile
from benchmarks.readers import readers
from benchmarks.sendmail import sendmail
from benchmarks.servers import Cloud, cloud
from benchmarks.standing import standing
from benchmarks.throughput import accepting, both, relaying
from benchmarks.viewers import pages, viewers


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--runs", type=int, default=3, help="of each figure (default: 3)")
    parser.add_argument("--directory", type=Path, help="where spools are put (default: temporary)")
    given = parser.parse_args()
    if unknown := set(given.names) - set(BENCHMARKS):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    loop = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    print(
        f"Python {platform.python_version()} ({loop}), SQLite {sqlite3.sqlite_version}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, {given.runs} runs"
    )
    with TemporaryDirectory(prefix="graphrelay-bench-", dir=given.directory) as folder:
        for name in given.names or BENCHMARKS:
            print(f"\n## {name}\n", flush=True)
            with cloud(Path(folder, name)) as of:
                BENCHMARKS[name](of, Path(folder, name), given.runs)


BENCHMARKS: dict[str, Callable[[Cloud, Path, int], None]] = {
    "accepting": accepting,
    "relaying": relaying,
    "both": both,
    "latency": latency,
    "final-dot": final_dot,
    "standing": standing,
    "waiting": waiting,
    "logged": logged,
    "lanes": lanes,
    "hosts": hosts,
    "hosts-growth": shared_growth,
    "in-flight": in_flight,
    "stall": stall,
    "large": lambda _, folder, runs: large(folder, runs),
    "sendmail": sendmail,
    "readers": lambda _cloud, _folder, runs: readers(runs),
    "viewers": viewers,
    "pages": pages,
    "profile": profile,
}

if __name__ == "__main__":
    main()
