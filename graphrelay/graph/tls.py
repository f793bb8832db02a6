"""One TLS context for all connections to Microsoft.

Creating one takes about 20 ms and reads every certificate of the system, so it is created once and
shared by all lanes and by oauth/. TLS 1.2 is the minimum that Microsoft supports
(https://learn.microsoft.com/en-us/entra/fundamentals/reference-breaking-changes-archive).
"""

import ssl
from pathlib import Path


class CertificatesUnreadable(Exception):  # noqa: N818 (a condition, reported to the admin)
    """The file of trusted certificates cannot be used; the text says why."""


def client_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Trusts the system's certificates, or only those in `ca_file` (PEM) where it is given.

    Raises `CertificatesUnreadable`.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except FileNotFoundError as error:
        raise CertificatesUnreadable(f"{ca_file}: no such file") from error
    except ssl.SSLError as error:
        raise CertificatesUnreadable(f"{ca_file}: holds no certificate in PEM form") from error
    except OSError as error:
        raise CertificatesUnreadable(f"{ca_file}: {error.strerror}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
