"""The settings are read without the variable that switches consoles off."""

import pytest


@pytest.fixture(autouse=True)
def without_the_variable_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHRELAY_CONSOLE__ADDRESS", raising=False)
