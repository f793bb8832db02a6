"""What is taken of aiosmtpd, and what is not."""

import subprocess
import sys

import pytest

SAYS = """
import graphrelay.smtp
from {module} import log
log.warning("a client that said %r", "EHLO")
log.error("trouble")
"""


@pytest.mark.parametrize("module", ["aiosmtpd.smtp", "aiosmtpd.proxy_protocol"])
def test_nothing_that_aiosmtpd_logs_comes_to_standard_error(module: str) -> None:
    """The journal tells what is worth telling, in one form. In a process of its own: Python writes
    there where nobody else listens, and pytest does."""
    told = subprocess.run(
        [sys.executable, "-c", SAYS.format(module=module)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (told.stdout, told.stderr) == ("", "")
