"""These tests build packages and boot machines, which takes many minutes: `make test-packages` runs
them, and nothing that does not name this folder.
"""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave them out unless they are asked for."""
    return None if any("packages" in one for one in config.args) else True
