"""sendmail that dies (SIGKILL) right before its n-th disk operation.

python -m tests.sendmail.dying 3 -i a@example.org <message
"""

import os
import signal
import sys
from typing import Any

from graphrelay.sendmail import main

CALLS = ("open", "write", "fchmod", "fsync", "rename", "close")


def die_before(number: int, folder: str) -> None:
    """Count calls from the first that opens a file in `folder`."""
    seen = 0

    def counted(name: str) -> Any:
        real = getattr(os, name)

        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal seen
            if seen or (name == "open" and str(arguments[0]).startswith(folder)):
                seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)

        return call

    for name in CALLS:
        setattr(os, name, counted(name))


if __name__ == "__main__":
    die_before(int(sys.argv.pop(1)), os.environ["GRAPHRELAY_DROP"])
    sys.exit(main())
