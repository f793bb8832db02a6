"""Whom recipients see as sender: From, Sender and Reply-To, by the octet.

What the header says leaves as exactly one From field with one address, since Exchange sends for
one mailbox, and what it makes of two is not documented:

- the router's plan may put another address into From. Then the display name stays, the old address
  goes to Reply-To if there was none, and the field as it came stays readable as
  `X-Graphrelay-From`;
- a message without From gets the mailbox;
- an `@` in the display name is written as ` at `, also within encoded words: Exchange answers
  ErrorSendAsDenied to it;
- Sender becomes `X-Graphrelay-Sender`: Exchange sets Sender by itself, from the mailbox that
  submits.
"""

from graphrelay.model import Address, Plan
from graphrelay.relay import address_list
from graphrelay.relay.address_list import AddressList, Member
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
    froms = [found for found in fields if found.name == "from"]
    replacements = {
        found: b"X-Graphrelay-" + section.octets[found.start : found.end]
        for found in fields
        if found.name == "sender"
    }
    if not froms:
        return Edits(replacements, _from(Address.parse(plan.from_address or plan.lane.mailbox)))
    lists = [address_list.read(section.value(found)) for found in froms]
    written = _rewritten(lists, plan)
    if written is None:
        return Edits(replacements)
    originals = [b"X-Graphrelay-" + section.octets[found.start : found.end] for found in froms]
    has_reply_to = any(_names_somebody(section, found) for found in fields)
    reply_to = b"" if has_reply_to else _reply_to(lists, plan)
    if not reply_to and not plan.from_address and len(froms) == 1 and len(lists[0].members) == 1:
        originals = []
    lines = b"".join([written, reply_to, *originals])
    return Edits(replacements | {froms[0]: lines} | dict.fromkeys(froms[1:], b""))


def _rewritten(lists: list[AddressList], plan: Plan) -> bytes | None:
    """The From field anew; `None` where it may stay as it came."""
    members = [member for one in lists for member in one.members]
    author = next((member for member in members if member.address), None)
    named: Member | None = author or next(iter(members), None)
    address = author.address if author else None
    if plan.from_address:
        address = Address.parse(plan.from_address)
    as_it_came = len(lists) == 1 and len(members) == 1 and lists[0].plain
    name = address_list.decoded_name(named.name) if named else ""
    kept = author is not None and address is not None and author.address == address
    if kept and as_it_came and "@" not in name:
        return None
    return _from(address or Address.parse(plan.lane.mailbox), name)


def _from(address: Address, name: str = "") -> bytes:
    name = name.replace("@", " at ")
    return b"From: " + address_list.mailbox(name, address) + b"\r\n"


def _reply_to(lists: list[AddressList], plan: Plan) -> bytes:
    """A Reply-To field with the addresses that From loses."""
    if not plan.from_address:
        return b""
    kept = Address.parse(plan.from_address).key
    members = [
        member.octets
        for one in lists
        for member in one.members
        if member.address and member.address.domain and member.address.key != kept
    ]
    return b"Reply-To: " + b",\r\n ".join(members) + b"\r\n" if members else b""


def _names_somebody(section: HeaderSection, found: Field) -> bool:
    return found.name == "reply-to" and bool(section.unfolded(found))
