"""The promise about memory, measured on a relay in a process of its own. Takes some seconds, since
only a message that is really large shows it."""

from pathlib import Path

import pytest

from benchmarks.large import LIMIT, SIZE, measure


def test_thirty_megabytes_with_five_attachments_cost_little_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [(_, added, _)] = measure(tmp_path, 1)
    with capsys.disabled():
        print(f" [{SIZE / 1e6:.0f} MB in five attachments: {added:.1f} MB of memory]", end="")
    assert added < LIMIT
