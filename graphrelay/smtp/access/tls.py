"""The TLS side of a listener: its certificate, read again whenever its files change.

What is always true here: a client is never served with a certificate and key that do not match. New
files are read into a context of their own, which replaces the old one only if that succeeds;
otherwise the old one stays in use and the journal says why.
"""

import ssl
import warnings
from pathlib import Path
from typing import Final

from graphrelay.journal import Journal, events
from graphrelay.smtp.access.listener import Listener, ListenError

_VERSIONS: Final = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}

_Stamp = tuple[tuple[int, int, int], ...]


class ListenerCertificate:
    """A listener's certificate. Raises `ListenError` when it cannot be read at first."""

    def __init__(self, listener: Listener, journal: Journal) -> None:
        self._listener = listener
        self._journal = journal
        self._stamp: _Stamp = _stamp(listener)
        self._context = _context(listener)
        self._reported: _Stamp | None = None
        """What could not be read, and was reported."""

    def context(self) -> ssl.SSLContext:
        """For the next connection."""
        stamp = _stamp(self._listener)
        if stamp != self._stamp:
            self._reload(stamp)
        return self._context

    def _reload(self, stamp: _Stamp) -> None:
        """Try until it succeeds. A certificate that could not be read for a moment (no descriptors
        left, a mode that is corrected later) would otherwise never be read, and the old one would
        be served until it expires."""
        try:
            self._context = _context(self._listener)
        except ListenError as error:
            self._tell(stamp, error)
        else:
            self._stamp, self._reported = stamp, None
            self._journal.write(events.CertificateReloaded(listener=self._listener.address))

    def _tell(self, stamp: _Stamp, error: ListenError) -> None:
        """Once for what lies there."""
        if stamp != self._reported:
            self._reported = stamp
            self._journal.write(
                events.CertificateNotReloaded(
                    reason=str(error),
                    next="the certificate read before stays in use, and this one is tried again",
                )
            )


def _files(listener: Listener) -> list[Path]:
    return [path for path in (listener.certificate_file, listener.key_file) if path]


def _stamp(listener: Listener) -> _Stamp:
    """Changes when a file does; a missing one counts as empty, and is reported when read."""
    stamps = []
    for path in _files(listener):
        try:
            status = path.stat()
        except OSError:
            stamps.append((0, 0, 0))
        else:
            stamps.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(stamps)


def _context(listener: Listener) -> ssl.SSLContext:
    name, certificate = listener.address, listener.certificate_file
    if certificate is None:
        raise ListenError(f'{name}: tls = "{listener.tls}" needs a certificate_file')
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_minimum(context, listener.tls_minimum)
    key = listener.key_file
    try:
        context.load_cert_chain(certificate, key, password=lambda: _no_password(name))
    except ssl.SSLError as error:
        pair = f"{certificate} and {key}" if key else str(certificate)
        reason = error.reason or str(error)
        raise ListenError(
            f"{name}: {pair} are not a matching certificate and key in PEM ({reason})"
        ) from error
    except OSError as error:
        # load_cert_chain does not say which of the two files it was.
        unreadable = next((path for path in _files(listener) if not _readable(path)), certificate)
        raise ListenError(f"{name}: cannot read {unreadable}: {error.strerror}") from error
    return context


def _set_minimum(context: ssl.SSLContext, minimum: str) -> None:
    with warnings.catch_warnings():
        # Deprecated, but all that some copiers support: the admin asked for them.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[minimum]
    if minimum in ("1.0", "1.1"):
        context.set_ciphers("DEFAULT:@SECLEVEL=0")


def _no_password(name: str) -> str:
    raise ListenError(f"{name}: the key is encrypted; a daemon needs one without a passphrase")


def _readable(path: Path) -> bool:
    try:
        path.open("rb").close()
    except OSError:
        return False
    return True
