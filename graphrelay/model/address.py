"""Addresses as RFC 5321 writes them, when two of them are the same person, and patterns of them.

What is always true here: addresses are compared in this file and nowhere else. Whether a login may
send as somebody, an account may use a mailbox, a route takes a recipient or `queue list --sender`
lists a message, it is always two keys that are compared, or a key and a pattern.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

LONGEST_ADDRESS: Final = 254
"""Octets of an address: the 256 of a path (RFC 5321 section 4.5.3.1.3) less its angle brackets.
Whoever reads octets takes what is longer for text."""
_LONGEST_LABEL = 63
"""Octets of a label of a domain (RFC 1035 section 2.3.4)."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox as RFC 5321 section 4.1.2 writes it: `local@domain`, octets as they were given.

    `local` keeps its quotes if it had any. `domain` may be empty, for the bare names (`root`) that
    cron and devices use as reverse path. Two addresses are the same person when their `key` is
    the same: Exchange compares local parts without regard to case.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local

    @property
    def key(self) -> str:
        """What to compare by: in small letters, the local part without needless quotes, the domain
        in letters."""
        local = self.local
        if len(local) >= 2 and local[0] == local[-1] == '"':
            local = local[1:-1].replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")
        return in_small_letters(f"{local}@{_in_letters(self.domain)}")

    def matches(self, patterns: Iterable[str]) -> bool:
        """Whether one of the shell patterns (`*@contoso.com`, `s*@contoso.com`, `wp@contoso.com`)
        names this address, compared as keys are."""
        key = self.key if self.domain or "@" in self.local else self.key[:-1]
        return any(
            key == wanted or (is_wild and fnmatchcase(key, wanted))
            for wanted, is_wild in map(_pattern, patterns)
        )

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Split at the last `@`. Whether it may stand on the wire is for the smtp room to say."""
        local, at, domain = text.rpartition("@")
        return cls(local, domain) if at else cls(text, "")


def same_address(one: str, other: str) -> bool:
    """Whether two texts are the same person's address."""
    return Address.parse(one).key == Address.parse(other).key


@lru_cache(4096)
def _pattern(text: str) -> tuple[str, bool]:
    """What to compare a key with, and whether anything in it stands for other characters. A local
    part in quotes stands for itself alone."""
    local, at, domain = text.rpartition("@")
    wanted = Address(local, domain).key if at else in_small_letters(_in_letters(text))
    return wanted, not local.startswith('"') and not set(text).isdisjoint("*?[")


def in_small_letters(text: str) -> str:
    """To compare addresses by, without regard to case and to nothing else: case folding would make
    `ss` of `ß` and `k` of the Kelvin sign, which are other people and other domains."""
    return text.lower() if text.isascii() else "".join(map(_small, text))


def _small(letter: str) -> str:
    small = letter.lower()
    became_another = len(small) > 1 or (small.isascii() and not letter.isascii())
    return letter if became_another else small


def _in_letters(domain: str) -> str:
    """With `xn--` labels (RFC 5890) as the letters that they stand for: programs write a domain
    one way in the envelope and the other way in the header."""
    if "xn--" not in domain.lower():
        return domain
    labels = domain.split(".")
    for number, label in enumerate(labels):
        if label[:4].lower() == "xn--" and len(label) <= _LONGEST_LABEL:
            try:
                letters = label[4:].encode("ascii").decode("punycode")
            except UnicodeError:
                continue  # stands for nothing, so for itself
            labels[number] = label if letters.isascii() else letters
    return ".".join(labels)
