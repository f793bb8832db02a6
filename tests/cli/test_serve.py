"""What `graphrelay serve` runs on."""

import resource
import subprocess
import sys

import pytest
from click.testing import CliRunner

from graphrelay.cli import cli
from graphrelay.cli.serve import take_descriptors

COUNTED = """
import asyncio, os
from graphrelay.cli.serve import event_loop

def threads():
    return len(os.listdir("/proc/self/task"))

import uvloop
before = threads()
loop = event_loop()()
begun = threads() - before
host, port = "localhost", 0
loop.run_until_complete(loop.getaddrinfo(host, port))
works = [loop.run_in_executor(None, threads) for _ in range(20)]
loop.run_until_complete(asyncio.gather(*works))
print(begun, threads() - before)
loop.run_until_complete(loop.shutdown_default_executor())
loop.close()
"""


def test_all_threads_of_the_event_loop_are_there_from_the_start() -> None:
    counted = subprocess.run(
        [sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True
    )
    begun, in_use = map(int, counted.stdout.split())
    assert begun == in_use > 0


@pytest.mark.parametrize(
    ("given", "has"),
    [
        ((1024, 4096), (4096, 4096)),
        ((1024, 1_000_000), (65_536, 1_000_000)),
        ((1024, resource.RLIM_INFINITY), (65_536, resource.RLIM_INFINITY)),
        ((100_000, 1_000_000), (100_000, 1_000_000)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY),) * 2,
    ],
)
def test_it_takes_as_many_descriptors_as_it_may(
    given: tuple[int, int], has: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {resource.RLIMIT_NOFILE: given}
    monkeypatch.setattr(resource, "getrlimit", limits.__getitem__)
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    take_descriptors()
    assert limits == {resource.RLIMIT_NOFILE: has}


@pytest.mark.parametrize(
    ("given", "environ", "may_be_missing"),
    [
        ((), {}, True),
        (("--config", "/nowhere.toml"), {}, False),
        ((), {"GRAPHRELAY_CONFIG": "/nowhere.toml"}, False),
    ],
)
def test_only_a_file_that_nobody_named_may_be_missing(
    given: tuple[str, ...],
    environ: dict[str, str],
    may_be_missing: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []

    def reading(_: object, *, may_be_missing: bool) -> None:
        asked.append(may_be_missing)
        raise OSError("enough")

    monkeypatch.setattr("graphrelay.daemon.reading.ConfigReading", reading)
    CliRunner(env={"GRAPHRELAY_CONFIG": None, **environ}).invoke(cli, [*given, "serve"])
    assert asked == [may_be_missing]
