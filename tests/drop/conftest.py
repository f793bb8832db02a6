"""A folder for several users."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that all users can reach, unlike pytest's."""
    with TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)
