"""A configuration of the relay that fits a sandbox, as text: for the demo, for tests, and for
people who run `graphrelay sandbox` beside a relay of their own."""

import json
from pathlib import Path
from typing import Literal

from graphrelay.sandbox.directory import (
    CLIENT_SECRET,
    CONFIDENTIAL_CLIENT,
    PUBLIC_CLIENT,
    Directory,
    ExchangeRole,
)
from graphrelay.sandbox.server import Sandbox

Scenario = Literal["user", "personal", "any-user", "scoped-users"]


def relay_config(
    cloud: Sandbox,
    state_directory: Path,
    smtp_address: str = "127.0.0.1:2525",
    scenario: Scenario = "user",
    account_settings: str = "",
    console: str = "off",
) -> str:
    """TOML. `user` is wp@contoso.com, who may send as info@contoso.com as well; `personal` is
    me@outlook.com; `scoped-users` may use info@contoso.com alone, see `limit_to_scope`.
    `console` is where the relay's console listens."""
    account = _ACCOUNTS[scenario]
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
{account}{account_settings}
[vault]
backend = "file"
"""


def limit_to_scope(directory: Directory) -> None:
    """What `scoped-users` requires: the application has no role in Entra ID, and in Exchange the
    role `Application Mail.Send` with one mailbox in its scope."""
    app = directory.app(CONFIDENTIAL_CLIENT)
    assert app is not None  # noqa: S101 (it is in every directory that `contoso` makes)
    app.roles.clear()
    app.exchange_roles.append(ExchangeRole.on("Application Mail.Send", ["info@contoso.com"]))


_APPLICATION = f"""tenant = "contoso.onmicrosoft.com"
client_id = "{CONFIDENTIAL_CLIENT}"
client_secret = "{CLIENT_SECRET}"
"""
_ACCOUNTS: dict[Scenario, str] = {
    "user": f"""tenant = "contoso.onmicrosoft.com"
client_id = "{PUBLIC_CLIENT}"
username = "wp@contoso.com"
mailboxes = ["wp@contoso.com", "info@contoso.com"]
""",
    "personal": f"""client_id = "{PUBLIC_CLIENT}"
username = "me@outlook.com"
""",
    "any-user": f"""{_APPLICATION}mailboxes = ["wp@contoso.com", "*@contoso.com"]
""",
    "scoped-users": f"""{_APPLICATION}mailboxes = ["info@contoso.com"]
""",
}


def _quoted(value: object) -> str:
    """A TOML basic string; every JSON string is one."""
    return json.dumps(str(value), ensure_ascii=False)
