"""Whom recipients see as sender: From, Sender and Reply-To, by the octet.

What the header says leaves as exactly one From field with one address, since Exchange sends for
one mailbox, and what it makes of two is not documented:

- the router's plan may put another address into From. Then the display name stays, the old address
  goes to Reply-To if there was none, and the field as it came stays readable as
  `X-Graphrelay-From`. The same happens to all but the first of several authors;
- a message without From gets the mailbox;
- an `@` in the display name is written as ` at `, also within encoded words: Exchange answers
  ErrorSendAsDenied to it;
- of several Reply-To fields the first that says something stays, and raw octets in it become
  encoded words. The route may set Reply-To. What was there stays readable as
  `X-Graphrelay-Reply-To`;
- Sender becomes `X-Graphrelay-Sender`: Exchange sets Sender by itself, from the mailbox that
  submits.
"""

from collections.abc import Iterable

from graphrelay.mime import address_list
from graphrelay.mime.address_list import AddressList, Member
from graphrelay.mime.header import Edits, Field, HeaderSection
from graphrelay.model import Address, Plan
from graphrelay.relay.outgoing import charset as legible


def authors(section: HeaderSection, *names: str) -> tuple[Address, ...]:
    """Every address in the From fields (or those of other names), in their order."""
    authors: list[Address] = []
    for found in section.find(*(names or ("from",))):
        authors += address_list.read(section.value(found)).addresses
    return tuple(authors)


def edits(section: HeaderSection, plan: Plan) -> Edits:
    """What makes the header name the sender that the plan wants."""
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
    """Edits to From, and the authors who want the replies that From brings them no more."""
    lists = [_list(section, found) for found in froms]
    authors = [member for one in lists for member in one.members]
    address = _author(authors, plan)
    if not froms:
        return Edits(added=_from(address)), []
    name = _name(authors, legible.charset(section))
    as_it_came = len(lists) == len(authors) == 1 and lists[0].plain and not lists[0].raw
    if as_it_came and authors[0].address == address and "@" not in name:
        return Edits(), []
    lines = [_from(address, name)]
    lost = any(one.address and one.address.key != address.key for one in authors)
    if lost or not all(one.plain for one in lists):
        lines += [_readable(section, found) for found in froms]
    edits = Edits({froms[0]: b"".join(lines)} | dict.fromkeys(froms[1:], b""))
    return edits, [one for one in authors if one.address and lost]


def _reply_edits(
    section: HeaderSection, fields: list[Field], reply_to: str | None, authors: list[Member]
) -> Edits:
    """Reply-To as the route wants it, else as it came, else to the authors."""
    if reply_to:
        line = b"Reply-To: " + address_list.addr_spec(Address.parse(reply_to)) + b"\r\n"
        return Edits({found: _readable(section, found) for found in fields}, line)
    named = [found for found in fields if section.unfolded(found)]
    if named:
        return Edits({**_written_anew(section, named[0]), **_set_aside(section, fields, named[0])})
    return Edits(added=_reply_to(authors)) if authors else Edits()


def _written_anew(section: HeaderSection, found: Field) -> dict[Field, bytes]:
    """A Reply-To with raw octets beyond ASCII, in encoded words."""
    replies = _list(section, found)
    legible = section.value(found).isascii() or not replies.addresses
    return {} if legible else {found: _reply_to(replies.members)}


def _set_aside(section: HeaderSection, fields: list[Field], kept: Field) -> dict[Field, bytes]:
    """All Reply-To fields but the one that counts: RFC 5322 section 3.6 has one, and which of two
    Exchange takes is not documented."""
    return {
        found: _readable(section, found) if section.unfolded(found) else b""
        for found in fields
        if found is not kept
    }


def _author(authors: list[Member], plan: Plan) -> Address:
    """What the plan says, else the first address that was written, else the mailbox."""
    if plan.from_address:
        return Address.parse(plan.from_address)
    written = next((one.address for one in authors if one.address), None)
    return written or Address.parse(plan.lane.mailbox)


def _name(authors: list[Member], charset: str) -> str:
    """The display name of the first address; that of no address where there is none."""
    named = next((one for one in authors if one.address), None) or next(iter(authors), None)
    return address_list.decoded_name(named.name, charset) if named else ""


def _from(address: Address, name: str = "") -> bytes:
    name = name.replace("@", " at ")
    return b"From: " + address_list.mailbox(name, address) + b"\r\n"


def _reply_to(members: Iterable[Member]) -> bytes:
    """Where replies go, or went by themselves before From changed (RFC 5322 section 3.6.2)."""
    return b"Reply-To: " + b",\r\n ".join(one.octets for one in members if one.address) + b"\r\n"


def _list(section: HeaderSection, found: Field) -> AddressList:
    value = section.value(found)
    return address_list.read(value, legible.charset(section, value))


def _readable(section: HeaderSection, found: Field) -> bytes:
    """The field as it came, under a name that means nothing to Exchange."""
    return b"X-Graphrelay-" + section.line(found)
