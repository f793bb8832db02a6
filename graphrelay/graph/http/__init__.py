"""HTTP to Graph: connections, TLS, and how far a request got when it failed.

aiohttp makes two TLS contexts when it is imported, each with all certificates of the system. The
relay has its own (tls.py) and uses neither, so they are made without: that saves 100 ms at each
start, and 2 MB. A request that took one of them by mistake would trust nobody.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_TRUSTED = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where OpenSSL looks for certificates, instead of the system's
(https://docs.openssl.org/master/man3/SSL_CTX_load_verify_locations/)."""


@contextmanager
def _no_certificates() -> Iterator[None]:
    """TLS contexts that are made meanwhile trust nobody."""
    before = {name: os.environ.get(name) for name in _TRUSTED}
    os.environ.update(dict.fromkeys(_TRUSTED, os.devnull))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


with _no_certificates():
    import aiohttp as _aiohttp  # noqa: F401
