"""What is used of aiosmtpd, and what is not."""

import subprocess
import sys

import pytest

SAYS = """
import graphrelay.smtp.server
from {module} import log
log.warning("a client that said %r", "EHLO")
log.error("trouble")
"""


@pytest.mark.parametrize("module", ["aiosmtpd.smtp", "aiosmtpd.proxy_protocol"])
def test_nothing_that_aiosmtpd_logs_comes_to_standard_error(module: str) -> None:
    """The journal reports what matters, in one form. This test uses a separate process: Python
    writes to standard error only if there is no other handler, and pytest has one."""
    told = subprocess.run(
        [sys.executable, "-c", SAYS.format(module=module)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (told.stdout, told.stderr) == ("", "")
