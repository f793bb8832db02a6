"""What every table refuses."""

import pytest
from pydantic import ValidationError

from graphrelay.config.table import Table, wrong


class Example(Table):
    key: int = 0


def test_an_unknown_key_is_a_mistake_and_nothing_changes_later() -> None:
    with pytest.raises(ValidationError):
        Example.model_validate({"other": 1})
    with pytest.raises(ValidationError):
        Example().key = 1


def test_a_mistake_names_its_keys() -> None:
    assert wrong(("key", "is odd")).context == {"mistakes": (("key", "is odd"),)}
