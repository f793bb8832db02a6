"""Reading To, Cc, From and the like (RFC 5322 section 3.4, with the obsolete forms of section 4.4).

Python's own parsers do not give the position of an address in the octets, and some take quadratic
time on hostile input. This one makes one pass over the tokens in linear time, and returns byte
ranges. It never fails. It distinguishes:

- a *plain* list: written so that no two readers could see different addresses in it. Its members
  may be kept or cut by byte range;
- anything else that senders write: unquoted commas and `@` in names, missing commas, semicolons
  between addresses, groups, routes, comments with addresses in them, white space inside addresses,
  unclosed quotes. It is read as well as possible, and what stays in the header is rewritten, so
  that Exchange reads what the relay read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from graphrelay.mime import encoded_word
from graphrelay.mime.address_tokens import Token, mailboxes, words
from graphrelay.model import LONGEST_ADDRESS, Address, one_line


@dataclass(frozen=True, slots=True)
class Member:
    """One mailbox of a list."""

    octets: bytes
    """As written in a plain list, without surrounding white space; else, or if its name has raw
    octets beyond ASCII, rewritten."""
    address: Address | None
    """`None` if no `local@domain` was found."""
    name: bytes
    """The display name as written (quotes and encoded words included), or the comment in its place;
    empty if there is none."""


@dataclass(frozen=True, slots=True)
class AddressList:
    """The members of a field, in order."""

    members: tuple[Member, ...]
    plain: bool
    raw: bool = False
    """Whether a name has octets beyond ASCII, which should stand in encoded words."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(member.address for member in self.members if member.address)


# --- Plain lists ---------------------------------------------------------------------------------

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\x80-\xff"
_SPACE = r"(?:[ \t]|\r\n[ \t])"
_LOCAL = rf'(?:[{_ATEXT}]++(?:\.[{_ATEXT}]++)*+|"(?:[^"\\\r\n\0]|\\[^\r\n\0])*+")'
_DOMAIN = r"(?:[A-Za-z0-9_\-\x80-\xff]++(?:\.[A-Za-z0-9_\-\x80-\xff]++)*+|\[[!-Z^-~]*+\])"
_NAME = rf'(?:[{_ATEXT}.]++|"(?:[^"\\\r\n\0]|\\[^\r\n\0]|\r\n[ \t])*+"|{_SPACE})*+'
_PLAIN = re.compile(
    rf"{_SPACE}*+(?P<member>(?P<local>{_LOCAL})@(?P<domain>{_DOMAIN})"
    rf"|(?P<name>{_NAME})<(?P<local2>{_LOCAL})@(?P<domain2>{_DOMAIN})>){_SPACE}*+(?P<end>,|\Z)".encode(
        "latin-1"
    )
)


_SHORT = 200
"""Values up to this many octets are cached: a program usually sends in the same name again."""


def read(value: bytes, charset: str = "") -> AddressList:
    """The members of a field's value (everything after the colon, folded as it came).

    `charset` is that of the body, for names in raw octets that are not UTF-8.
    """
    return _remembered(value, charset) if len(value) <= _SHORT else _read(value, charset)


def _read(value: bytes, charset: str) -> AddressList:
    members = _plain_members(value)
    if members is None or _mixes_charsets(value, members):
        return AddressList(tuple(_lenient(value, charset)), plain=False)
    if value.isascii() or all(member.name.isascii() for member in members):
        return AddressList(tuple(members), plain=True)
    legible = (_member(one.address, one.name, charset) for one in members)
    return AddressList(tuple(legible), plain=True, raw=True)


_remembered = lru_cache(512)(_read)


def _mixes_charsets(value: bytes, members: list[Member]) -> bool:
    """Whether other software may read an address differently: one in UTF-8, in a field that is
    not.
    """
    if value.isascii() or all(str(member.address).isascii() for member in members):
        return False
    try:
        value.decode()
    except UnicodeDecodeError:
        return True
    return False


def _plain_members(value: bytes) -> list[Member] | None:
    members: list[Member] = []
    at = 0
    while match := _PLAIN.match(value, at):
        local, domain = match["local"] or match["local2"], match["domain"] or match["domain2"]
        if len(local) + 1 + len(domain) > LONGEST_ADDRESS:
            return None
        name = (match["name"] or b"").strip(b" \t\r\n")
        members.append(Member(match["member"], _address(local, domain), name))
        if not match["end"]:
            return members
        at = match.end()
    return None


def _address(local: bytes, domain: bytes) -> Address:
    return Address(_text(local), _text(domain))


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


# --- Everything else -----------------------------------------------------------------------------

_DOMAIN_ALONE = re.compile(_DOMAIN.encode("latin-1"))
_LOCAL_ALONE = re.compile(rf"[{_ATEXT}.]++|{_LOCAL}".encode("latin-1"))


def _lenient(value: bytes, charset: str) -> Iterator[Member]:
    for phrase, spec in mailboxes(value):
        if spec is not None:
            yield _member(_spec(spec), _name(phrase) or _comment_name(phrase), charset)
        elif any(kind == "@" for kind, _ in phrase):
            yield from _bare(phrase, charset)
        elif name := _comment_name(phrase) or _name(phrase):
            yield _member(None, name, charset)


def _bare(phrase: list[Token], charset: str) -> Iterator[Member]:
    """Addresses without angle brackets; the words beside a single one are its name."""
    found = list(words(phrase))
    specs = [word for word in found if b"@" in word]
    rest = b" ".join(word for word in found if b"@" not in word)
    name = (_comment_name(phrase) or rest) if len(specs) == 1 else b""
    for spec in specs:
        yield _member(_spec(spec), name, charset)


def _member(address: Address | None, name: bytes, charset: str) -> Member:
    octets = mailbox(decoded_name(name, charset), address) if address else b""
    return Member(octets, address, name)


def _spec(octets: bytes) -> Address | None:
    local, _, domain = octets.rpartition(b"@")
    short = len(octets) <= LONGEST_ADDRESS
    fine = short and _LOCAL_ALONE.fullmatch(local) and _DOMAIN_ALONE.fullmatch(domain)
    return _address(local, domain) if fine else None


def _name(phrase: list[Token]) -> bytes:
    """The words of a phrase with single spaces between them, without comments."""
    return b" ".join(
        b"".join(
            b" " if kind == "space" else octets for kind, octets in phrase if kind != "comment"
        ).split()
    )


def _comment_name(phrase: list[Token]) -> bytes:
    """The last comment, which is the name in `user@host (Name)`."""
    comments = [octets for kind, octets in phrase if kind == "comment"]
    return comments[-1] if comments else b""


# --- Names, and writing --------------------------------------------------------------------------

_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)\\?(?:"|\Z)', re.DOTALL)
_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_DOT_ATOM = re.compile(rf"[{_ATEXT}]++(?:\.[{_ATEXT}]++)*+".encode("latin-1"))
_QUOTED_LOCAL = re.compile(rb'"(?:[^"\\\r\n\0]|\\[^\r\n\0])*+"')
_LONGEST_NAME = 200


def decoded_name(name: bytes, charset: str = "") -> str:
    """A display name for display: without quotes, parentheses of comments and encoded words."""
    if name.startswith(b"("):
        name = _PAIR.sub(rb"\1", name[1:].removesuffix(b")"))
    else:
        name = _QUOTED.sub(lambda match: _PAIR.sub(rb"\1", match[1]), name)
    return one_line(encoded_word.decode(name, charset))


def mailbox(name: str, address: Address) -> bytes:
    """`"name" <local@domain>`, in the form that all software understands."""
    spec = addr_spec(address)
    name = one_line(name)[:_LONGEST_NAME]
    if not name:
        return spec
    if not name.isascii():
        return encoded_word.encode(name) + b" <" + spec + b">"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <'.encode("ascii") + spec + b">"


def addr_spec(address: Address) -> bytes:
    """An address in the syntax of a header field: the local part quoted if necessary."""
    local = address.local.encode("utf-8", "surrogateescape")
    domain = address.domain.encode("utf-8", "surrogateescape")
    if not (_DOT_ATOM.fullmatch(local) or _QUOTED_LOCAL.fullmatch(local)):
        local = b'"' + local.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return local + b"@" + domain
