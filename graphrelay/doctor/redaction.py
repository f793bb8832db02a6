"""What may stand in the file of a run: no token, no address, no name, no tenant.

Addresses become `address-1f2e3d…`, the same for the same address within one run; the salt is
discarded at its end, so that addresses cannot be found by trying. Texts that are as long as a
token, an id of a message or a page are cut to their length. What identifies the tenant and its
users is replaced, unless the person asks for the tenant.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

OWN_DOMAIN = "graphrelay.invalid"
"""Of the Message-IDs that the doctor makes, which may be shown."""
_ADDRESS = re.compile(
    r"[^\s\"'<>()\[\],;:=/&?@{}]+(?:@|%(?:25)?40)[^\s\"'<>()\[\],;:=/&?@{}\\]+", re.I
)
"""Also as in a URL: Graph names the mailbox so in `@odata.context`."""
_EXCHANGE_NAME = re.compile(r"/o=[^\"]*/cn=[^\"/;,]+", re.I)
"""A legacyExchangeDN, of which the last part names a person."""
_LONG = re.compile(r"[A-Za-z0-9_\-+/=.~%!*]{60,}")
_SEGMENT = re.compile(r"[^/?&=]{60,}")
_SECRET_PARAMETER = re.compile(r"\b(authtoken|code|access_token|refresh_token|sig)=[^&\s\"]+", re.I)
_SECRET_MEMBERS = frozenset(
    {"access_token", "refresh_token", "id_token", "client_info", "contentbytes", "device_code"}
)
_NAMES = frozenset(
    {"displayname", "givenname", "surname", "name", "mailnickname", "mobilephone", "businessphones"}
    | {"officelocation", "jobtitle", "department", "companyname"}
)
_SECRET_HEADERS = frozenset({"set-cookie", "authorization", "proxy-authorization"})


class Redactor:
    """For one run."""

    def __init__(self, hidden: Mapping[str, str] | None = None) -> None:
        """`hidden`: a text, such as the tenant's id, and its replacement."""
        self._salt = secrets.token_bytes(16)
        self._hidden: dict[str, str] = {}
        self.hide(hidden or {})

    def hide(self, hidden: Mapping[str, str]) -> None:
        """Replace these too from now on, whatever their letter case."""
        self._hidden |= {text.lower(): shown for text, shown in hidden.items() if text}

    def text(self, text: str) -> str:
        """A text in which nothing identifies anybody."""
        text = _SECRET_PARAMETER.sub(r"\1=…", text)
        text = _EXCHANGE_NAME.sub(lambda found: self._hashed("name", found[0].lower()), text)
        text = _ADDRESS.sub(lambda found: self._address(found[0]), text)
        for hidden in sorted(self._hidden, key=len, reverse=True):
            text = re.sub(re.escape(hidden), self._hidden[hidden], text, flags=re.I)
        return _LONG.sub(lambda found: _shortened(found[0]), text)

    def path(self, path: str) -> str:
        """Of a URL, with what is encoded in it made readable."""
        return self.text(f"//{unquote(path)}").removeprefix("//")

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {
            name: "…" if name.lower() in _SECRET_HEADERS else self.text(value)
            for name, value in headers.items()
        }

    def value(self, value: Any, name: str = "") -> Any:
        """What JSON holds; `name` is that of the member."""
        match value:
            case dict():
                return {self.text(key): self.value(one, key) for key, one in value.items()}
            case list():
                return [self.value(one, name) for one in value]
            case str() if name.lower() in _SECRET_MEMBERS:
                return f"({len(value)} characters)"
            case str() if name.lower() in _NAMES and value:
                return self._hashed("name", value)
            case str():
                return self.text(value)
        return value

    def _address(self, address: str) -> str:
        if address.lower().endswith(f"@{OWN_DOMAIN}"):
            return address
        return self._hashed("address", unquote(unquote(address)).strip(".").lower())

    def _hashed(self, kind: str, text: str) -> str:
        return f"{kind}-{hashlib.sha256(self._salt + text.encode()).hexdigest()[:12]}"


def _shortened(text: str) -> str:
    """Shorten what is too long to be a word; in a URL only segments, which may be ids."""
    if text.startswith("//"):
        return _SEGMENT.sub(lambda found: f"({len(found[0])} characters)", text)
    return f"({len(text)} characters)"
