"""What the Entra half needs of the cloud that it is mounted in."""

from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from graphrelay.sandbox.directory import Directory
from graphrelay.sandbox.faults import Faults
from graphrelay.sandbox.tokens import TokenIssuer


class Cloud(Protocol):
    """`Sandbox`, as seen from here. The URLs are known once the server listens."""

    directory: Directory
    faults: Faults
    tokens: TokenIssuer
    grant_types: deque[str]
    now: Callable[[], datetime]

    @property
    def login_url(self) -> str: ...

    @property
    def graph_url(self) -> str: ...
