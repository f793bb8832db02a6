"""Opening an address in this machine's browser."""

import os
import sys
import webbrowser


def open_browser(url: str) -> bool:
    """Whether one was opened. Without a desktop, a text-mode browser might be found, which would
    take over this terminal: so it is not tried."""
    named = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    has_a_desktop = sys.platform in ("darwin", "win32") or any(map(os.environ.get, named))
    return has_a_desktop and webbrowser.open(url)
