"""The HTML of a message, for a frame in which nothing can run, load or be sent; and its files.

The frame's policy does that, and `sandbox` in it. What the policy does not stop is done here:
elements that no mail reader shows are renamed, since Chromium connects to the host of a nested
frame before it asks the policy; and images of the message itself (`cid:`) are put in its text as
`data:`, since the frame may load nothing.

The console and the sandbox's reader share this; it imports nothing of either.
"""

import base64
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote

MAIL_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
)
"""Content-Security-Policy of the frame's document. What is appended is a flag of `sandbox`."""
MOST_OCTETS: Final = 20_000_000
"""Of images in one document, each as often as it is shown: a message may show one a thousand
times."""
_CID = re.compile(r"cid:([^\"'\s)>]+)", re.IGNORECASE)
_NEVER_SHOWN = re.compile(
    r"<(/?)(?=(?:iframe|frame|frameset|object|embed|applet|portal|fencedframe|base|link|meta)\b)",
    re.IGNORECASE,
)
_TYPE = re.compile(r"[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+")
_IMAGE_TYPE = re.compile(r"image/[a-z0-9.+-]+")
_HEAD = '<!doctype html><html lang="und"><meta charset="utf-8"><title>Message</title>'
_STYLE = (
    "<style>html{background:#fff;color:#1b1f24}body{margin:16px;font:15px/1.5 system-ui,"
    "sans-serif;overflow-wrap:anywhere}img{max-width:100%;height:auto}</style>"
)

Images = Callable[[str], "tuple[str, bytes] | None"]
"""The type and the octets of the image with a content id, if the message has it."""


def framed(html: str, images: Images, *, opens_links: bool = False) -> str:
    """The document for the frame; `opens_links`: in another tab, if the policy allows that."""
    base = '<base target="_blank">' if opens_links else ""
    harmless = _NEVER_SHOWN.sub(r"<\1x-", html)
    left = MOST_OCTETS

    def shown(found: re.Match[str]) -> str:
        nonlocal left
        image = images(unquote(found[1]))
        if image is None or not _IMAGE_TYPE.fullmatch(image[0]) or len(image[1]) > left:
            return found[0]
        left -= len(image[1])
        return f"data:{image[0]};base64,{base64.b64encode(image[1]).decode()}"

    return _HEAD + base + _STYLE + _CID.sub(shown, harmless)


def content_ids(html: str) -> frozenset[str]:
    """Those that the HTML names."""
    return frozenset(unquote(found[1]) for found in _CID.finditer(html))


def download(name: str, content_type: str) -> dict[str, str]:
    """Header fields with which a browser saves a file, and neither shows nor runs it, whatever it
    is."""
    plain = "".join(
        one if one.isascii() and one.isprintable() and one not in '"\\%;/' else "_" for one in name
    )
    encoded = quote(name, safe="", errors="replace")
    known = _TYPE.fullmatch(content_type)
    return {
        "Content-Type": content_type if known else "application/octet-stream",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
