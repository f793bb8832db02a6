"""A relay that submits to a sandbox, as the application `CONFIDENTIAL_CLIENT`."""

from pathlib import Path

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CLIENT_SECRET, CONFIDENTIAL_CLIENT, CONTOSO

SENDER = "wp@contoso.com"
"""The one mailbox that it may use."""


def for_sandbox(
    cloud: Sandbox,
    state_directory: Path,
    listener: str = "127.0.0.1:0",
    *,
    ca_file: Path | None = None,
    client_secret: str = f'client_secret = "{CLIENT_SECRET}"',
) -> str:
    """As TOML. More tables, and more keys of `[vault]`, may be added after it."""
    return f"""
        state_directory = "{state_directory}"
        [[smtp.listeners]]
        address = "{listener}"
        [cloud]
        name = "custom"
        login_url = "{cloud.login_url}"
        graph_url = "{cloud.graph_url}"
        ca_file = "{ca_file or cloud.ca_file}"
        [accounts.website]
        scenario = "any-user"
        tenant = "{CONTOSO}"
        client_id = "{CONFIDENTIAL_CLIENT}"
        {client_secret}
        mailboxes = ["{SENDER}"]
        [vault]
        backend = "file"
    """
