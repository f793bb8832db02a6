"""Whom recipients see as sender: From, Sender and Reply-To, by the octet.

What the header says leaves as exactly one From field with one address, since Exchange sends for
one mailbox, and what it makes of two is not documented:

- the router's plan may put another address into From. Then the display name stays, the old address
  goes to Reply-To if there was none, and the field as it came stays readable as
  `X-Graphrelay-From`. The same happens to all but the first of several authors;
- a message without From gets the mailbox;
- an `@` in the display name is written as ` at `, also within encoded words: Exchange answers
  ErrorSendAsDenied to it;
- Sender becomes `X-Graphrelay-Sender`: Exchange sets Sender by itself, from the mailbox that
  submits.
"""

from graphrelay.model import Address, Plan
from graphrelay.relay import address_list
from graphrelay.relay.address_list import Member
from graphrelay.relay.header import Field, HeaderSection
from graphrelay.relay.recipients import Edits


def authors(section: HeaderSection, *names: str) -> tuple[Address, ...]:
    """Every address in the From fields (or those of other names), in their order."""
    return tuple(
        address
        for found in section.find(*(names or ("from",)))
        for address in address_list.read(section.value(found)).addresses
    )


def edits(section: HeaderSection, plan: Plan) -> Edits:
    """What makes the header name the sender that the plan wants."""
    fields = list(section.find("from", "sender", "reply-to"))
    replacements = {
        found: b"X-Graphrelay-" + _line(section, found)
        for found in fields
        if found.name == "sender"
    }
    froms = [found for found in fields if found.name == "from"]
    lists = [address_list.read(section.value(found)) for found in froms]
    authors = [member for one in lists for member in one.members]
    address = _author(authors, plan)
    if not froms:
        return Edits(replacements, _from(address))
    name = _name(authors)
    as_it_came = len(lists) == len(authors) == 1 and lists[0].plain
    if as_it_came and authors[0].address == address and "@" not in name:
        return Edits(replacements)
    lines = [_from(address, name)]
    lost = [one for one in authors if one.address and one.address.key != address.key]
    if lost and not any(_names_somebody(section, found) for found in fields):
        lines.append(_reply_to(authors))
    if lost or not as_it_came:
        lines += [b"X-Graphrelay-" + _line(section, found) for found in froms]
    return Edits(replacements | {froms[0]: b"".join(lines)} | dict.fromkeys(froms[1:], b""))


def _author(authors: list[Member], plan: Plan) -> Address:
    """What the plan says, else the first address that was written, else the mailbox."""
    if plan.from_address:
        return Address.parse(plan.from_address)
    written = next((one.address for one in authors if one.address), None)
    return written or Address.parse(plan.lane.mailbox)


def _name(authors: list[Member]) -> str:
    """The display name of the first address; that of no address where there is none."""
    named = next((one for one in authors if one.address), None) or next(iter(authors), None)
    return address_list.decoded_name(named.name) if named else ""


def _from(address: Address, name: str = "") -> bytes:
    name = name.replace("@", " at ")
    return b"From: " + address_list.mailbox(name, address) + b"\r\n"


def _reply_to(authors: list[Member]) -> bytes:
    """Where replies went by themselves before From changed (RFC 5322 section 3.6.2)."""
    return b"Reply-To: " + b",\r\n ".join(one.octets for one in authors if one.address) + b"\r\n"


def _names_somebody(section: HeaderSection, found: Field) -> bool:
    return found.name == "reply-to" and bool(section.unfolded(found))


def _line(section: HeaderSection, found: Field) -> bytes:
    return section.octets[found.start : found.end]
