"""`graphrelay-sendmail`: what cron, PHP's mail(), git send-email and scripts call as `sendmail`.

    standard input ──▶ Message ──▶ smtp.submit ──▶ the relay's Unix socket ──▶ 250
                                        │ it is not there, or says "later"
                                        └──▶ drop.leave ──▶ the drop folder ──▶ the relay, later

What is always true here: exit status 0 means that the relay has the message, or that it lies synced
in the drop folder, where the relay takes it up; any other means that nobody received it (where some
did, it is said). The program has no privilege and needs none: it does what its caller may do.

It starts in a fraction of the time that the rest of the relay takes, so it imports the standard
library only, and little of that: no dataclasses, typing, argparse, email. What it shares with the
relay is one file, `mime.address_tokens`.
"""

import os
import sys

from graphrelay.sendmail.program import run
from graphrelay.sendmail.stop import Stop


def main() -> int:
    """The program. Returns the exit status, one of sysexits.h."""
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
    """On standard error, if there is one; the exit status says it too."""
    try:
        os.write(2, f"sendmail: {' '.join(text.split())}\n".encode("utf-8", "replace"))
    except OSError:
        return
