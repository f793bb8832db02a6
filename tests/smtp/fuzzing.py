"""How long the readers of octets are tried."""

import os


def examples(usual: int) -> int:
    """A minute of each in continuous integration, a few seconds at a desk, and as many as
    `GRAPHRELAY_FUZZ_EXAMPLES` says where somebody wants to know."""
    told = os.environ.get("GRAPHRELAY_FUZZ_EXAMPLES")
    if told:
        return int(told)
    return usual * 20 if os.environ.get("CI") == "true" else usual
