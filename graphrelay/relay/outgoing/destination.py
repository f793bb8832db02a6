"""The recipients in the header: exactly those in the envelope.

Graph has no envelope. It sends to the addresses in To, Cc and Bcc, so these fields are edited until
they name the recipients of the envelope, each once:

- every Bcc field is removed; it must never reach a recipient;
- To and Cc keep the envelope's recipients, octet for octet if the list is plain. All other
  addresses are removed, and the original field is kept as `X-Graphrelay-To` or `-Cc`;
- recipients in neither field go into a new Bcc field, which Exchange removes;
- Resent fields (RFC 5322 section 3.6.6) and Apparently-To get `X-` before their names: what
  Exchange would do with them is not documented.

A To or Cc field without any recipient left is removed. Exchange might refuse an empty group in its
place (ErrorInvalidRecipients).
"""

from collections.abc import Iterable

from graphrelay.mime import address_list
from graphrelay.mime.header import Edits, Field, HeaderSection
from graphrelay.model import Address
from graphrelay.relay.outgoing import charset

FIELDS = ("to", "cc", "bcc", "resent-*", "apparently-to")


def edits(section: HeaderSection, recipients: Iterable[Address]) -> Edits:
    """Edits after which the header names exactly `recipients`."""
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
    """Edits to all To fields, or all Cc fields; removes from `unnamed` whom they name."""
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
    """Empty, or a group such as `undisclosed-recipients:;`."""
    value = value.strip(b" \t\r\n")
    return not value or (b"@" not in value and value.endswith((b":;", b":", b": ;")))


def _bcc(addresses: Iterable[Address]) -> bytes:
    """A Bcc field with one address per line; empty without addresses."""
    lines = b",\r\n ".join(address_list.addr_spec(address) for address in addresses)
    return b"Bcc: " + lines + b"\r\n" if lines else b""
