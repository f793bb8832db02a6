"""The HTML of a message, for a frame in which nothing can run, load or send.

The policy of the frame does that. Elements that no mail reader shows are renamed besides: Chromium
connects to the host of a nested frame before it asks the policy.
"""

import re
from typing import Final

MAIL_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox"
)
_NEVER_SHOWN = re.compile(
    r"<(/?)(?=(?:iframe|frame|frameset|object|embed|applet|portal|fencedframe|base|link|meta)\b)",
    re.IGNORECASE,
)
_FRAME = (
    '<!doctype html><html lang="und"><meta charset="utf-8"><title>Message</title>'
    "<style>html{background:#fff;color:#1b1f24}body{margin:16px;font:15px/1.5 system-ui,"
    "sans-serif;overflow-wrap:anywhere}img{max-width:100%;height:auto}</style>"
)


def framed(html: str) -> str:
    """The document for the frame."""
    return _FRAME + _NEVER_SHOWN.sub(r"<\1x-", html)
