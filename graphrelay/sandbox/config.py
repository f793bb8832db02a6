"""A configuration of the relay that fits a sandbox, as text: for the demo, for tests, and for
people who run `graphrelay sandbox` beside a relay of their own."""

import json
from pathlib import Path
from typing import Literal

from graphrelay.sandbox.directory import CLIENT_SECRET, CONFIDENTIAL_CLIENT, PUBLIC_CLIENT
from graphrelay.sandbox.server import Sandbox


def relay_config(
    cloud: Sandbox,
    state_directory: Path,
    smtp_address: str = "127.0.0.1:2525",
    scenario: Literal["user", "any-user"] = "user",
    account_settings: str = "",
    console: str = "off",
) -> str:
    """TOML. `user` is wp@contoso.com, who may send as info@contoso.com as well; `console` is where
    the relay's console listens."""
    account = _USER if scenario == "user" else _ANY_USER
    return f"""state_directory = {_quoted(state_directory)}

[[smtp.listeners]]
address = {_quoted(smtp_address)}

[console]
address = {_quoted(console)}

[cloud]
name = "custom"
login_url = {_quoted(cloud.login_url)}
graph_url = {_quoted(cloud.graph_url)}
ca_file = {_quoted(cloud.ca_file)}

[accounts.website]
scenario = {_quoted(scenario)}
tenant = "contoso.onmicrosoft.com"
{account}{account_settings}
[vault]
backend = "file"
"""


_USER = f"""client_id = "{PUBLIC_CLIENT}"
username = "wp@contoso.com"
mailboxes = ["wp@contoso.com", "info@contoso.com"]
"""
_ANY_USER = f"""client_id = "{CONFIDENTIAL_CLIENT}"
client_secret = "{CLIENT_SECRET}"
mailboxes = ["wp@contoso.com", "*@contoso.com"]
"""


def _quoted(value: object) -> str:
    """A TOML basic string: what JSON writes is one."""
    return json.dumps(str(value), ensure_ascii=False)
