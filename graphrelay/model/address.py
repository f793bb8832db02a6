"""Addresses in the form of RFC 5321, when two of them are the same, and patterns for them.

What is always true here: addresses are compared in this file only. Whether the question is what a
login may send as, which mailbox an account may use, which recipients a route takes or which
messages `queue list --sender` lists, the comparison is between two keys, or a key and a pattern.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

LONGEST_ADDRESS: Final = 254
"""The limit in octets for an address: the 256 of a path (RFC 5321 section 4.5.3.1.3) without angle
brackets. Parsers treat anything longer as text."""
_LONGEST_LABEL = 63
"""The limit in octets for a label of a domain (RFC 1035 section 2.3.4)."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox in the form of RFC 5321 section 4.1.2: `local@domain`, as given.

    `local` keeps its quotes if it had any. `domain` may be empty, for the bare names (`root`) that
    cron and devices use as reverse path. Two addresses are the same if their `key` is: Exchange
    compares local parts without regard to case.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local

    @property
    def key(self) -> str:
        """The form to compare: in lower case, the local part without unnecessary quotes, the domain
        in Unicode."""
        return _key(self.local, self.domain)

    def matches(self, patterns: Iterable[str]) -> bool:
        """Whether one of the shell patterns (`*@contoso.com`, `s*@contoso.com`, `wp@contoso.com`)
        matches this address, compared like keys."""
        key = self.key if self.domain or "@" in self.local else self.key[:-1]
        return any(
            key == wanted or (is_wild and fnmatchcase(key, wanted))
            for wanted, is_wild in map(_pattern, patterns)
        )

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Split at the last `@`. Whether it is valid in SMTP is decided in the smtp package."""
        local, at, domain = text.rpartition("@")
        return cls(local, domain) if at else cls(text, "")


def same_address(one: str, other: str) -> bool:
    """Whether two texts are the same address."""
    return Address.parse(one).key == Address.parse(other).key


@lru_cache(1024)
def _key(local: str, domain: str) -> str:
    if len(local) >= 2 and local[0] == local[-1] == '"':
        local = local[1:-1].replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")
    return in_small_letters(f"{local}@{_in_letters(domain)}")


@lru_cache(4096)
def _pattern(text: str) -> tuple[str, bool]:
    """The pattern to compare a key with, and whether it has wildcards. A quoted local part has
    none."""
    local, at, domain = text.rpartition("@")
    wanted = Address(local, domain).key if at else in_small_letters(_in_letters(text))
    return wanted, not local.startswith('"') and not set(text).isdisjoint("*?[")


def in_small_letters(text: str) -> str:
    """Lower case, for comparing addresses. Case folding would turn `ß` into `ss` and the Kelvin
    sign into `k`, which are other people and other domains."""
    return text.lower() if text.isascii() else "".join(map(_small, text))


def _small(letter: str) -> str:
    small = letter.lower()
    became_another = len(small) > 1 or (small.isascii() and not letter.isascii())
    return letter if became_another else small


def _in_letters(domain: str) -> str:
    """Decodes `xn--` labels (RFC 5890): programs use one form of a domain in the envelope and the
    other in the header."""
    if "xn--" not in domain.lower():
        return domain
    labels = domain.split(".")
    for number, label in enumerate(labels):
        if label[:4].lower() == "xn--" and len(label) <= _LONGEST_LABEL:
            try:
                letters = label[4:].encode("ascii").decode("punycode")
            except UnicodeError:
                continue  # it decodes to nothing, so it is kept
            labels[number] = label if letters.isascii() else letters
    return ".".join(labels)
