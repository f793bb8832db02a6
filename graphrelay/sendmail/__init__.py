"""`graphrelay-sendmail`: what cron, PHP's mail(), git send-email and scripts call as `sendmail`.

    standard input ──▶ Message ──▶ smtp.submit ──▶ the relay's Unix socket ──▶ 250
                                        │ it is not there, or says "later"
                                        └──▶ drop.leave ──▶ the drop folder ──▶ the relay, later

What is always true here: exit status 0 means that the relay has the message, or that it is synced
in the drop folder, where the relay picks it up; any other status means that nobody received it,
unless the error message says otherwise. The program has no privileges beyond those of its caller.

It starts in a fraction of the time that the relay takes, so it imports only a small part of the
standard library: no dataclasses, typing, argparse or email. It shares one file with the relay,
`mime.address_tokens`.
"""

import os
import sys

from graphrelay.sendmail.program import run
from graphrelay.sendmail.stop import Stop


def main() -> int:
    """Run the program. Returns the exit status, one of sysexits.h."""
    try:
        return run(sys.argv, os.environ)
    except Stop as stop:
        if not stop.quiet:
            _tell(str(stop))
        return stop.status
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        _tell(error.strerror or str(error))
        return os.EX_OSERR


def _tell(text: str) -> None:
    """Print an error to standard error, if there is one; the exit status says it too."""
    try:
        os.write(2, f"sendmail: {' '.join(text.split())}\n".encode("utf-8", "replace"))
    except OSError:
        return
