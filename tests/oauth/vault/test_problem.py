"""What is wrong with a vault, as an exception and as data."""

from graphrelay.oauth.answers import VaultProblem
from graphrelay.oauth.vault.problem import VaultFailure


def test_a_failure_is_the_same_words_as_data() -> None:
    failure = VaultFailure("It is locked.", "Unlock it.")
    assert failure.problem == VaultProblem(reason="It is locked.", remedy="Unlock it.")
    assert str(failure) == "It is locked. Unlock it."
