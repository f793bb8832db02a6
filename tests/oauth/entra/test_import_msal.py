"""msal is imported without requests, and with it where that does not do."""

import subprocess
import sys

USED = "from graphrelay.oauth.entra.import_msal import msal; import sys;"


def printed(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_the_relay_does_without_requests_and_others_can_import_it_later() -> None:
    ours = "name.partition('.')[0] in ('requests', 'urllib3')"
    loaded = f"print([name for name in sys.modules if {ours}])"
    assert printed(f"{USED} {loaded}") == "[]"
    assert printed(f"{USED} import requests; print(requests.Session().adapters != {{}})") == "True"


def test_where_requests_is_imported_already_msal_uses_it() -> None:
    used = "print(msal.managed_identity.requests is sys.modules['requests'])"
    assert printed(f"import requests; {USED} {used}") == "True"


def test_where_msal_needs_more_of_it_requests_is_imported() -> None:
    afresh = "[sys.modules.pop(name) for name in [*sys.modules] if name.startswith('msal')];"
    without = "from types import ModuleType; less = {'requests': ModuleType('requests')};"
    again = "from graphrelay.oauth.entra.import_msal import imported; msal = imported(less);"
    used = "print('requests.adapters' in sys.modules, msal.ClientApplication.__name__)"
    assert printed(USED + afresh + without + again + used) == "True ClientApplication"
