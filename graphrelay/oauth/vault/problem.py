"""What can be wrong with a vault, the same for every backend."""

from graphrelay.oauth.answers import VaultProblem


class VaultFailure(Exception):  # noqa: N818 (a condition, not a programming error)
    """The vault cannot do it. The text is for people and holds no secret. `passes`: it is expected
    to end by itself."""

    def __init__(self, reason: str, remedy: str, *, passes: bool = False) -> None:
        super().__init__(f"{reason} {remedy}".strip())
        self.reason = reason
        self.remedy = remedy
        self.passes = passes

    @property
    def problem(self) -> VaultProblem:
        """The same as data."""
        return VaultProblem(reason=self.reason, remedy=self.remedy, passes=self.passes)
