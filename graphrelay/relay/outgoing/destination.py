"""The envelope is the truth: the header is made to name its recipients, and nobody else.

Graph knows no envelope. It sends to whom To, Cc and Bcc name, so here these fields are made to
say what the envelope says, each address once:

- every Bcc field goes; it never reaches a recipient, and it decides nothing;
- To and Cc keep whom the envelope names, octet for octet where the list is plain. Everybody else
  is cut out, and the field as it came stays readable as `X-Graphrelay-To` or `-Cc`;
- whom no field names then gets the message by a Bcc field of our own, which Exchange removes;
- fields of a resending (RFC 5322 section 3.6.6) and Apparently-To get `X-` before their names:
  what Exchange would do about them is not documented.

A To or Cc field that nobody is left in goes as a whole. An empty group in its place could be
refused by Exchange (ErrorInvalidRecipients); without any To, readers show what they see fit.
"""

from collections.abc import Iterable

from graphrelay.mime import address_list
from graphrelay.mime.header import Edits, Field, HeaderSection
from graphrelay.model import Address
from graphrelay.relay.outgoing import charset

FIELDS = ("to", "cc", "bcc", "resent-*", "apparently-to")


def edits(section: HeaderSection, recipients: Iterable[Address]) -> Edits:
    """What makes the header name exactly `recipients`."""
    unnamed = {address.key: address for address in recipients}
    wanted = frozenset(unnamed)
    visible: dict[str, list[Field]] = {"to": [], "cc": []}
    replacements: dict[Field, bytes] = {}
    for found in section.find(*FIELDS):
        if found.name in visible:
            visible[found.name].append(found)
        else:
            hidden = found.name in ("bcc", "resent-bcc")
            replacements[found] = b"" if hidden else b"X-" + section.line(found)
    for fields in visible.values():
        replacements |= _visible(section, fields, unnamed, wanted)
    return Edits(replacements, _bcc(unnamed.values()))


def _visible(
    section: HeaderSection,
    fields: list[Field],
    unnamed: dict[str, Address],
    wanted: frozenset[str],
) -> dict[Field, bytes]:
    """Edits to all To fields, or all Cc fields; takes out of `unnamed` whom they name."""
    kept: list[bytes] = []
    originals: list[bytes] = []
    as_it_came = len(fields) == 1
    for found in fields:
        value = section.value(found)
        members = address_list.read(value, charset.charset(section, value))
        strangers = not members.plain
        for member in members.members:
            if member.address and unnamed.pop(member.address.key, None):
                kept.append(member.octets)
                continue
            as_it_came = False
            strangers |= not member.address or member.address.key not in wanted
        as_it_came &= members.plain and not members.raw
        if strangers and not _is_empty_group(value):
            originals.append(b"X-Graphrelay-" + section.line(found))
    if as_it_came or not fields:
        return {}
    name = fields[0].name.capitalize().encode("ascii")
    named = name + b": " + b",\r\n ".join(kept) + b"\r\n" if kept else b""
    return {fields[0]: b"".join([named, *originals])} | dict.fromkeys(fields[1:], b"")


def _is_empty_group(value: bytes) -> bool:
    """Nothing, or something like `undisclosed-recipients:;`."""
    value = value.strip(b" \t\r\n")
    return not value or (b"@" not in value and value.endswith((b":;", b":", b": ;")))


def _bcc(addresses: Iterable[Address]) -> bytes:
    """A Bcc field with one address a line; none for nobody."""
    lines = b",\r\n ".join(address_list.addr_spec(address) for address in addresses)
    return b"Bcc: " + lines + b"\r\n" if lines else b""
