"""msal, imported without requests.

msal is given an HTTP client of ours, but imports requests and urllib3 all the same: for one
endpoint of managed identities, Service Fabric's, which refuses every other client. With what they
need in turn they are 6 MB that the relay would have for nothing. So while msal is imported, modules
of their names stand in for them that have only the classes which msal names then. Where another
version of msal needs more, it gets the real ones.
"""

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

_NAMED = {
    "requests": "Session",
    "requests.adapters": "HTTPAdapter",
    "urllib3.connection": "HTTPSConnection",
    "urllib3.connectionpool": "HTTPSConnectionPool",
}
"""The modules, and the class of each that is named."""


def imported(stand_ins: Mapping[str, ModuleType]) -> Any:
    """msal, with `stand_ins` for what is not imported yet, if they do."""
    absent = {name: one for name, one in stand_ins.items() if name not in sys.modules}
    sys.modules.update(absent)
    try:
        import msal as without
    except (AttributeError, ImportError):
        pass
    else:
        return without
    finally:
        for name in absent:
            sys.modules.pop(name, None)
    import msal as in_full

    return in_full


def _standing_in(name: str, class_name: str) -> ModuleType:
    module = ModuleType(name)
    setattr(module, class_name, type(class_name, (), {}))
    return module


msal: Any = imported({name: _standing_in(name, of) for name, of in _NAMED.items()})
