"""Ends the program early."""


class Stop(Exception):  # noqa: N818 (a condition, reported to the caller)
    """Ends the program with `status` (sysexits.h); the text says why, in a sentence."""

    def __init__(self, status: int, text: str, *, quiet: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.quiet = quiet
