"""What importing graph.http does."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os
import graphrelay.graph.http
from aiohttp import connector
from graphrelay.graph.tls import client_context
for context in (connector._SSL_CONTEXT_VERIFIED, client_context()):
    print(context.cert_store_stats()["x509"] > 0)
print(os.environ.get("SSL_CERT_FILE"))
"""


@pytest.mark.parametrize("before", [{}, {"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"}])
def test_aiohttps_own_contexts_trust_nobody_and_the_relays_the_system(
    before: dict[str, str],
) -> None:
    environment = {name: value for name, value in os.environ.items() if "SSL_CERT" not in name}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment | before,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == ["False", "True", str(before.get("SSL_CERT_FILE"))]
