"""The sender that recipients see: From, Sender and Reply-To.

The message goes out with exactly one From field with one address, since Exchange sends for one
mailbox, and its behaviour with two addresses is not documented:

- the router's plan may replace the address in From. Then the display name is kept, octet for octet
  if the list is plain; the old address becomes Reply-To if there was none, and the original field
  is kept as `X-Graphrelay-From`. The same happens to all but the first of several authors;
- a message without From gets the mailbox's address;
- an `@` in the display name is replaced by ` at `, also within encoded words: Exchange rejects it
  with ErrorSendAsDenied;
- of several Reply-To fields the first that is not empty is kept, and raw octets in it become
  encoded words. The route may set Reply-To. The original fields are kept as
  `X-Graphrelay-Reply-To`;
- Sender becomes `X-Graphrelay-Sender`: Exchange sets Sender itself, from the mailbox that submits.
"""

from collections.abc import Iterable

from graphrelay.mime import address_list
from graphrelay.mime.address_list import AddressList, Member
from graphrelay.mime.header import Edits, Field, HeaderSection
from graphrelay.model import Address, Plan
from graphrelay.relay.outgoing import charset as declared


def authors(section: HeaderSection, *names: str) -> tuple[Address, ...]:
    """Every address in the From fields (or those of other names), in order."""
    authors: list[Address] = []
    for found in section.find(*(names or ("from",))):
        authors += address_list.read(section.value(found)).addresses
    return tuple(authors)


def edits(section: HeaderSection, plan: Plan) -> Edits:
    """Edits after which the header names the sender that the plan requires."""
    fields = list(section.find("from", "sender", "reply-to"))
    froms = [found for found in fields if found.name == "from"]
    replies = [found for found in fields if found.name == "reply-to"]
    senders = [found for found in fields if found.name == "sender"]
    author, wants_replies = _author_edits(section, froms, plan)
    return (
        author
        | Edits({found: _readable(section, found) for found in senders})
        | _reply_edits(section, replies, plan.reply_to, wants_replies)
    )


def _author_edits(
    section: HeaderSection, froms: list[Field], plan: Plan
) -> tuple[Edits, list[Member]]:
    """Edits to From, and the authors who would lose replies by them."""
    lists = [_list(section, found) for found in froms]
    authors = [member for one in lists for member in one.members]
    address = _author(authors, plan)
    if not froms:
        return Edits(added=_from(address)), []
    named = _named(authors)
    name = address_list.decoded_name(named.name, declared.charset(section)) if named else ""
    legibly = all(one.plain and not one.raw for one in lists) and "@" not in name
    if legibly and len(authors) == 1 and len(lists) == 1 and authors[0].address == address:
        return Edits(), []
    line = _from_as_written(named, address) if named and legibly else _from(address, name)
    lost = any(one.address and one.address.key != address.key for one in authors)
    came = [_readable(section, found) for found in froms]
    lines = [line, *(came if lost or not all(one.plain for one in lists) else [])]
    edits = Edits({froms[0]: b"".join(lines)} | dict.fromkeys(froms[1:], b""))
    return edits, [one for one in authors if one.address and lost]


def _reply_edits(
    section: HeaderSection, fields: list[Field], reply_to: str | None, authors: list[Member]
) -> Edits:
    """Reply-To as the route sets it, else the original one, else the authors."""
    if reply_to:
        line = b"Reply-To: " + address_list.addr_spec(Address.parse(reply_to)) + b"\r\n"
        return Edits({found: _readable(section, found) for found in fields}, line)
    named = [found for found in fields if section.unfolded(found)]
    if named:
        return Edits({**_written_anew(section, named[0]), **_set_aside(section, fields, named[0])})
    return Edits(added=_reply_to(authors)) if authors else Edits()


def _written_anew(section: HeaderSection, found: Field) -> dict[Field, bytes]:
    """Reply-To, with raw octets beyond ASCII in encoded words."""
    replies = _list(section, found)
    legible = section.value(found).isascii() or not replies.addresses
    return {} if legible else {found: _reply_to(replies.members)}


def _set_aside(section: HeaderSection, fields: list[Field], kept: Field) -> dict[Field, bytes]:
    """Rename all Reply-To fields but the first with a value: RFC 5322 section 3.6 allows one, and
    which of two Exchange uses is not documented."""
    return {
        found: _readable(section, found) if section.unfolded(found) else b""
        for found in fields
        if found is not kept
    }


def _author(authors: list[Member], plan: Plan) -> Address:
    """The plan's address, else the first one in From, else the mailbox's."""
    if plan.from_address:
        return Address.parse(plan.from_address)
    written = next((one.address for one in authors if one.address), None)
    return written or Address.parse(plan.lane.mailbox)


def _named(authors: list[Member]) -> Member | None:
    """The member whose display name is kept: the first with an address, else the first."""
    return next((one for one in authors if one.address), None) or next(iter(authors), None)


def _from_as_written(member: Member, address: Address) -> bytes:
    """From with the octets of its name: recipients can determine their charset as well as the
    relay."""
    spec = address_list.addr_spec(address)
    return b"From: " + (member.name + b" <" + spec + b">" if member.name else spec) + b"\r\n"


def _from(address: Address, name: str = "") -> bytes:
    name = name.replace("@", " at ")
    return b"From: " + address_list.mailbox(name, address) + b"\r\n"


def _reply_to(members: Iterable[Member]) -> bytes:
    """The addresses for replies before From was changed (RFC 5322 section 3.6.2)."""
    return b"Reply-To: " + b",\r\n ".join(one.octets for one in members if one.address) + b"\r\n"


def _list(section: HeaderSection, found: Field) -> AddressList:
    value = section.value(found)
    return address_list.read(value, declared.charset(section, value))


def _readable(section: HeaderSection, found: Field) -> bytes:
    """The original field, under a name that Exchange ignores."""
    return b"X-Graphrelay-" + section.line(found)
