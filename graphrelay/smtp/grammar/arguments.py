"""The arguments of MAIL, RCPT and BDAT: a path and parameters, or a size (RFC 5321 section 4.1).

Nothing gets past here that could end a line, hide in a log or break out of an address later: an
address is printable, matches one pattern and is at most 254 octets long. Otherwise the reading is
as forgiving as devices need: a space behind the colon, missing angle brackets, source routes
(ignored, appendix C), dots where RFC 5321 has none, UTF-8 (RFC 6531) announced or not.

    "FROM:<a@b.example> SIZE=1000 BODY=8BITMIME"  ──▶  MailFrom(Address("a", "b.example"), 1000, …)
                                                 └──▶  Reply(501 …), the refusal
"""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, get_args

from graphrelay.model import LONGEST_ADDRESS, Address, DsnRequest, Notify, Reply

_LONGEST_ARGUMENT: Final = 2_000
"""Characters: the 512 of RFC 5321 section 4.5.3.1.4, and what its extensions add to them (500 each
for AUTH and ORCPT, RFC 4954 section 3 and RFC 3461 section 5)."""

# Sets say what is left out: some of ASCII, and the controls up to U+00A0. A set that counts all of
# Unicode up would take `re` ten times as long to compile, at each start.
_ATEXT = r'[^\x00- "(),:-<>@\[-\]\x7f-\xa0]'
_QUOTED = r'"(?:[^\x00-\x1f"\\\x7f-\xa0]|\\[ -~])*"'
_LETTER = r"[^\x00-/:-@\[-^`{-\xa0]"
_LETTER_OR_HYPHEN = r"[^\x00-,./:-@\[-^`{-\xa0]"
_LABEL = rf"{_LETTER}(?:{_LETTER_OR_HYPHEN}{{0,61}}{_LETTER})?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_LITERAL = r"\[[A-Za-z0-9:.-]{1,64}\]"
_MAILBOX = rf"(?P<local>{_ATEXT}+|{_QUOTED})(?:@(?P<domain>{_DOMAIN}|{_LITERAL}))?"
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"

_BRACKETED = re.compile(rf"<\s*+(?:{_ROUTE}{_MAILBOX})?\s*+>")
_BARE = re.compile(rf"{_MAILBOX}(?=\s|$)")
_FROM = re.compile(r"FROM\s*+:\s*+", re.IGNORECASE)
_TO = re.compile(r"TO\s*+:\s*+", re.IGNORECASE)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=]*))?")
_CHUNK = re.compile(r"([0-9]{1,18})(?:\s+(LAST))?", re.IGNORECASE)

_BODIES = frozenset({"7BIT", "8BITMIME", "BINARYMIME"})
_NOTIFY: Final[frozenset[str]] = frozenset(get_args(Notify))
_RET: Final[dict[str, Literal["", "FULL", "HDRS"]]] = {"": "", "FULL": "FULL", "HDRS": "HDRS"}
_LONGEST_ENVELOPE_ID: Final = 100
_LONGEST_ORIGINAL: Final = 500
_XTEXT_CODE = re.compile(r"\+([0-9A-F]{2})")


@dataclass(frozen=True, slots=True)
class MailFrom:
    """What MAIL asks for."""

    path: Address | None
    """`None` for the null sender `<>`."""
    size: int
    """The size that the client announced (RFC 1870), or 0."""
    binary: bool = False
    """BODY=BINARYMIME (RFC 3030): it comes by BDAT, and its octets are nobody's lines."""
    ret: Literal["", "FULL", "HDRS"] = ""
    envelope_id: str = ""


@dataclass(frozen=True, slots=True)
class RcptTo:
    """What RCPT asks for."""

    path: Address
    dsn: DsnRequest | None = None


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """What BDAT announces."""

    octets: int
    last: bool


@dataclass(frozen=True, slots=True)
class _Path:
    address: Address | None
    parameters: dict[str, str | None]


MAIL_SYNTAX = Reply(501, "5.5.4", "Syntax: MAIL FROM:<address>")
RCPT_SYNTAX = Reply(501, "5.5.4", "Syntax: RCPT TO:<address>")
CHUNK_SYNTAX = Reply(501, "5.5.4", "Syntax: BDAT size [LAST]")
BAD_SENDER = Reply(553, "5.1.7", "Invalid sender address; write MAIL FROM:<name@domain>")
BAD_RECIPIENT = Reply(553, "5.1.3", "Invalid recipient address; write RCPT TO:<name@domain>")
NULL_RECIPIENT = Reply(553, "5.1.3", "The null address <> cannot be a recipient")
NO_DOMAIN = Reply(
    550, "5.1.3", "That recipient has no domain, and this relay has no mailboxes of its own"
)
TOO_LONG = Reply(501, "5.5.4", f"The argument is longer than {_LONGEST_ARGUMENT} characters")
BAD_PARAMETER = Reply(501, "5.5.4", "A parameter is malformed; write NAME or NAME=value")
BAD_SIZE = Reply(501, "5.5.4", "SIZE is a number of octets")
BAD_BODY = Reply(501, "5.5.4", "BODY is 7BIT, 8BITMIME or BINARYMIME")
BAD_RET = Reply(501, "5.5.4", "RET is FULL or HDRS")
BAD_NOTIFY = Reply(501, "5.5.4", "NOTIFY is NEVER, or some of SUCCESS,FAILURE,DELAY")


@lru_cache(256)
def mail_from(argument: str) -> MailFrom | Reply:
    """Read what follows `MAIL`."""
    path = _path(_FROM, argument, MAIL_SYNTAX, BAD_SENDER)
    if isinstance(path, Reply):
        return path
    size = path.parameters.pop("SIZE", "0")
    if size is None or not (size.isascii() and size.isdigit() and len(size) <= 20):
        return BAD_SIZE
    body = path.parameters.pop("BODY", "7BIT")
    if body is None or body.upper() not in _BODIES:
        return BAD_BODY
    if unknown := path.parameters.keys() - _KNOWN_TO_MAIL:
        return _not_known("MAIL", unknown)
    ret = _RET.get((path.parameters.get("RET", "") or "").upper())
    if ret is None or (ret == "" and "RET" in path.parameters):
        return BAD_RET
    envelope_id = _plain_text(path.parameters.get("ENVID"))[:_LONGEST_ENVELOPE_ID]
    return MailFrom(path.address, int(size), body.upper() == "BINARYMIME", ret, envelope_id)


def chunk_size(argument: str) -> ChunkSize | Reply:
    """Read what follows `BDAT` (RFC 3030 section 2)."""
    match = _CHUNK.fullmatch(argument)
    return ChunkSize(int(match[1]), match[2] is not None) if match else CHUNK_SYNTAX


@lru_cache(256)
def rcpt_to(argument: str) -> RcptTo | Reply:
    """Read what follows `RCPT`."""
    path = _path(_TO, argument, RCPT_SYNTAX, BAD_RECIPIENT)
    if isinstance(path, Reply):
        return path
    if path.address is None:
        return NULL_RECIPIENT
    if not path.address.domain:
        return NO_DOMAIN
    if unknown := path.parameters.keys() - _KNOWN_TO_RCPT:
        return _not_known("RCPT", unknown)
    if not path.parameters:
        return RcptTo(path.address)
    return _with_dsn(path.address, path.parameters)


def _with_dsn(path: Address, parameters: dict[str, str | None]) -> RcptTo | Reply:
    """NOTIFY and ORCPT (RFC 3461 sections 4.1 and 4.2)."""
    notify: tuple[Notify, ...] = ()
    if "NOTIFY" in parameters:
        words = (parameters["NOTIFY"] or "").upper().split(",")
        if not _NOTIFY.issuperset(words) or ("NEVER" in words and len(words) > 1):
            return BAD_NOTIFY
        notify = tuple(word for word in get_args(Notify) if word in words)
    original = _plain_text(parameters.get("ORCPT"))
    if ";" not in original:
        original = ""
    return RcptTo(path, DsnRequest(path, notify, original) if notify or original else None)


def _plain_text(xtext: str | None) -> str:
    """What xtext stands for (RFC 3461 section 4). It is only ever repeated in a report: what cannot
    be printed is left out, and no mail is refused for it."""
    text = _XTEXT_CODE.sub(lambda code: chr(int(code[1], 16)), xtext or "")
    return text if text.isprintable() and len(text) <= _LONGEST_ORIGINAL else ""


_KNOWN_TO_MAIL = frozenset({"SMTPUTF8", "AUTH", "RET", "ENVID"})
"""Besides SIZE and BODY. AUTH (RFC 4954) names who wrote the message: taken, not believed.
RET and ENVID are for the reports that the relay writes (RFC 3461)."""
_KNOWN_TO_RCPT = frozenset({"NOTIFY", "ORCPT"})


def _not_known(command: str, names: set[str]) -> Reply:
    listed = ", ".join(sorted(names))[:80]
    return Reply(555, "5.5.4", f"Unsupported {command} parameter: {listed}")


def _path(keyword: re.Pattern[str], argument: str, syntax: Reply, bad: Reply) -> _Path | Reply:
    if len(argument) > _LONGEST_ARGUMENT:
        return TOO_LONG
    start = keyword.match(argument)
    if start is None:
        return syntax
    at = start.end()
    bracketed = argument.startswith("<", at)
    found = (_BRACKETED if bracketed else _BARE).match(argument, at)
    if found is None:
        return bad if argument[at:].strip() else syntax
    local = found["local"]
    address = None if local is None else _address(local, found["domain"] or "")
    if local is not None and address is None:
        return bad
    rest = argument[found.end() :]
    if not rest:
        return _Path(address, {})
    parameters = _parameters(rest)
    if parameters is None:
        return bad if "<" in rest else BAD_PARAMETER  # `Name <a@b.example>`
    return _Path(address, parameters)


def _address(local: str, domain: str) -> Address | None:
    text = f"{local}@{domain}"
    if not text.isascii() and not text.isprintable():
        return None
    if len(text.encode()) > LONGEST_ADDRESS:
        return None
    if domain.startswith("[") and not _is_literal(domain[1:-1]):
        return None
    return Address(local, domain)


def _is_literal(text: str) -> bool:
    """`192.0.2.1` or `IPv6:2001:db8::1` (RFC 5321 section 4.1.3)."""
    tag, colon, rest = text.partition(":")
    try:
        if colon and tag.upper() == "IPV6":
            ipaddress.IPv6Address(rest)
        else:
            ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _parameters(text: str) -> dict[str, str | None] | None:
    if not text[0].isspace():
        return None
    found: dict[str, str | None] = {}
    for word in text.split():
        match = _PARAMETER.fullmatch(word)
        if match is None or match[1].upper() in found:
            return None
        found[match[1].upper()] = match[2]
    return found
