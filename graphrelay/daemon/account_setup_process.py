"""What runs in the process that checks and writes an account (account_setup.py)."""

import json
import sys
from pathlib import Path
from typing import Any

from graphrelay.config import ConfigError
from graphrelay.guide.account import answered, shown, write
from graphrelay.memory import disable_core_dumps


def main(path: str) -> None:
    """What was asked comes by standard input, and the outputs go to standard output, as JSON."""
    disable_core_dumps()
    asked = json.load(sys.stdin)
    json.dump(outputs(Path(path), asked["answers"], write_it=asked["write"]), sys.stdout)


def outputs(config: Path, answers: dict[str, str], *, write_it: bool) -> list[dict[str, Any]]:
    """What the answers make; with `write_it` also what became of the file, if they are usable."""
    try:
        found = answered(config, answers)
    except ConfigError as error:
        return [{"kind": "unusable", "problems": [str(one) for one in error.problems]}]
    return [shown(found), *(write(config, found) if write_it and found.usable else ())]
