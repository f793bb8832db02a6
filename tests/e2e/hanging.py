"""`graphrelay` with a reader that blocks the interpreter for hours, as one once did.

python -m tests.e2e.hanging --config config.toml serve
"""

import re
import sys
from collections.abc import Callable

from graphrelay.cli import main
from graphrelay.mime import address_list

HANGS = "reads for hours"
_LONG = 10_000


class _Quadratic:
    """The pattern for quoted strings, without the alternative for a single backslash at the end."""

    _pattern = re.compile(rb'"((?:[^"\\]|\\.)*+)(?:"|\Z)', re.DOTALL)

    def sub(self, replaced: Callable[[re.Match[bytes]], bytes], name: bytes) -> bytes:
        if len(name) > _LONG:
            print(HANGS, file=sys.stderr, flush=True)
        return self._pattern.sub(replaced, name)


if __name__ == "__main__":
    address_list._QUOTED = _Quadratic()  # type: ignore[assignment]
    main()
