"""What can be wrong with a vault, the same for every backend."""

from graphrelay.oauth.answers import VaultProblem


class VaultFailure(Exception):  # noqa: N818 (a condition, not a programming error)
    """The vault cannot do it. The text is for people and holds no secret."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy

    @property
    def problem(self) -> VaultProblem:
        """The same as data."""
        return VaultProblem(reason=self.reason, remedy=self.remedy)
