"""The cloud itself, without the servers in front of it: its directory, what has arrived, which
faults are set, and its addresses.

Both halves (Entra ID and Graph) and the page use it; `Sandbox` is the cloud while it is served.
"""

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from graphrelay.sandbox.directory import Directory, contoso
from graphrelay.sandbox.faults import Faults
from graphrelay.sandbox.mailbox import Mailboxes
from graphrelay.sandbox.mailbox_settings import MailSettings
from graphrelay.sandbox.tokens import TokenIssuer

APP_SERVICE_PATH = "/msi/token"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request that was answered, or cut off (`status` 0)."""

    method: str
    path: str
    status: int
    at: datetime


class Cloud:
    """Change it through `directory`, `faults` and `mailboxes`."""

    def __init__(
        self,
        directory: Directory | None = None,
        *,
        port: int = 0,
        page_port: int | None = None,
        now: Callable[[], datetime] | None = None,
        mail_settings: MailSettings | None = None,
    ) -> None:
        self.directory = directory or contoso()
        self.faults = Faults()
        self.now = now or _system_time
        self.tokens = TokenIssuer(self.directory, self.now)
        self.mailboxes = Mailboxes(self.directory, self.now, mail_settings)
        self.page_note = ""
        """What the page shows while nothing has arrived: plain text, such as how to send."""
        self.requests: deque[Recorded] = deque(maxlen=100_000)
        self.grant_types: deque[str] = deque(maxlen=100_000)
        """What tokens were asked for with, in order."""
        self.identity_header = secrets.token_urlsafe(24)
        """What App Service would put in `IDENTITY_HEADER`."""
        self._port = port
        self._imds_port = 0
        self._page_port = page_port

    @property
    def login_url(self) -> str:
        return f"https://localhost:{self._port}"

    @property
    def graph_url(self) -> str:
        return f"https://localhost:{self._port}"

    @property
    def imds_url(self) -> str:
        """Stands for http://169.254.169.254: `AZURE_POD_IDENTITY_AUTHORITY_HOST`."""
        return f"http://127.0.0.1:{self._imds_port}"

    @property
    def identity_endpoint(self) -> str:
        """What App Service would put in `IDENTITY_ENDPOINT`."""
        return f"{self.imds_url}{APP_SERVICE_PATH}"

    @property
    def page_url(self) -> str:
        """Where the mail that arrived can be read; only where `page_port` was given."""
        return f"http://localhost:{self._page_port}"

    ca_file: Path
    """The authority to trust, PEM."""


def _system_time() -> datetime:
    return datetime.now(UTC)
