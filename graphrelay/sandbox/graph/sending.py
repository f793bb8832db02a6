"""From a request to mail in other people's mailboxes: sendMail, and what /send has in common.

    octets ── recipients? ── sender? ── size? ──▶ 202, delivered to everybody in To, Cc and Bcc
                 │             │          │
                400           403        400

There is no envelope: the header section names the recipients, and an address named twice receives
one copy.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from email.utils import format_datetime, formataddr
from uuid import uuid4

from aiohttp import web

from graphrelay.sandbox.graph.call import Call
from graphrelay.sandbox.graph.errors import NO_RECIPIENTS, GraphError
from graphrelay.sandbox.graph.faults import (
    ChangedInTransport,
    HeaderRefused,
    HeadersDropped,
    MessageFault,
    NonDelivery,
    Refuse,
    RefuseAfter,
    SlowSentItems,
    UnknownRecipient,
)
from graphrelay.sandbox.graph.message import boolean, composition
from graphrelay.sandbox.graph.sender import SendingAs, sending_as
from graphrelay.sandbox.mailbox import Submission
from graphrelay.sandbox.mailbox_items import Bounced, Item, Mail, Via
from graphrelay.sandbox.mailbox_settings import PROMOTED, MailSettings
from graphrelay.sandbox.mime import (
    Field,
    Head,
    Person,
    as_transported,
    fields_of,
    read_head,
    resolvable,
    without_fields,
)
from graphrelay.sandbox.mime_compose import Composition, compose


async def send_mail(call: Call) -> web.Response:
    """POST /sendMail. MIME always leaves a copy in Sent Items; only JSON can say otherwise."""
    match call.content_type:
        case "text/plain":
            submit(call, "mime", await call.mime())
        case "application/json":
            _send_json(call, await call.json())
        case _:
            raise GraphError("UnsupportedMediaType")
    return call.answer(202)


def _send_json(call: Call, value: dict[str, object]) -> None:
    given = {name.lower(): one for name, one in value.items()}
    if unknown := given.keys() - {"message", "savetosentitems"}:
        raise GraphError(
            "RequestBodyRead", f"The parameter '{min(unknown)}' is not a parameter of sendMail."
        )
    message = given.get("message")
    if not isinstance(message, dict):
        raise GraphError("UnableToDeserializePostBody")
    made = composition(message)
    octets = composed(call, made.message_id or new_message_id(), made)
    submit(call, "json", octets, save=boolean(given.get("savetosentitems", True)))


def composed(call: Call, message_id: str, message: Composition) -> bytes:
    """The octets that Exchange writes from properties."""
    box = call.box
    sender = Person(box.display_name, box.primary_address)
    return compose(replace(message, message_id=message_id), sender, call.cloud.now())


def new_message_id() -> str:
    name = uuid4().hex.upper()
    return f"<AS8P{name[:22]}@AS8P{name[22:30]}.eurprd01.prod.outlook.com>"


def submit(
    call: Call, via: Via, octets: bytes, *, save: bool = True, draft: Item | None = None
) -> Mail:
    """Send one message, or raise `GraphError` with nothing sent."""
    fields = fields_of(octets)
    head = read_head(fields)
    if fault := call.fault(Refuse, _concerning(head)):
        raise fault.error()
    recipients = _recipients(call, head)
    shown = sending_as(
        head, call.box, call.principal, call.cloud.directory, _settings(call).send_from_alias
    )
    _check_header_names(call, fields)
    if len(octets) > _settings(call).message_limit:
        raise GraphError("ErrorMessageSizeExceeded")
    message_id = head.message_id or new_message_id()
    mail = call.cloud.mailboxes.submit(
        call.box,
        Submission(
            via=via,
            client_id=call.principal.client_id,
            head=head,
            message_id=message_id,
            octets=octets,
            outgoing=_outgoing(call, via, octets, fields, head, shown, message_id),
            recipients=recipients,
            bounced=_bounced(call, head, recipients),
            client_request_id=call.ids.client_request_id,
            request_id=call.ids.request_id,
            saved_to_sent=save,
            seems_draft_for=slow.lookups if (slow := call.fault(SlowSentItems)) else 0,
        ),
        draft,
    )
    if after := call.fault(RefuseAfter, _concerning(head)):
        raise after.error()
    return mail


def _settings(call: Call) -> MailSettings:
    return call.cloud.mailboxes.settings


def _concerning(head: Head) -> Callable[[MessageFault], bool]:
    """For faults that can only be decided now; the others have struck before."""
    return lambda fault: fault.reads_message and fault.concerns(head)


def _recipients(call: Call, head: Head) -> tuple[str, ...]:
    """Each address once, as it was first written."""
    addresses: dict[str, str] = {}
    for person in head.recipients:
        addresses.setdefault(person.address.casefold(), person.address)
    if not addresses:
        raise GraphError("ErrorInvalidRecipients", NO_RECIPIENTS)
    for address in addresses.values():
        if not resolvable(address) or call.fault(UnknownRecipient, _naming(address)):
            raise GraphError(
                "ErrorInvalidRecipients",
                f"At least one recipient is not valid., Recipient '{address}' is not resolved. "
                "All recipients must be resolved before a message can be submitted.",
            )
    if len(head.recipients) > _settings(call).recipient_limit:
        raise GraphError("ErrorRecipientLimitExceeded")
    return tuple(addresses.values())


def _naming(address: str) -> Callable[[UnknownRecipient], bool]:
    return lambda fault: fault.address.casefold() == address.casefold()


def _check_header_names(call: Call, fields: Iterable[Field]) -> None:
    if not call.cloud.faults:
        return
    names = {one.name.lower() for one in fields}
    if fault := call.fault(HeaderRefused, lambda fault: fault.name.lower() in names):
        raise GraphError(
            "InvalidInternetMessageHeader",
            f"The internet message header name '{fault.name}' is not allowed.",
        )


def _bounced(call: Call, head: Head, recipients: tuple[str, ...]) -> tuple[Bounced, ...]:
    nowhere = tuple(
        Bounced(address, "5.4.310", NO_DOMAIN)
        for address in recipients
        if address.casefold().endswith(".invalid")
    )
    fault = call.fault(NonDelivery, lambda fault: fault.concerns(head))
    if fault is None:
        return nowhere
    named = fault.recipient.casefold()
    return nowhere + tuple(
        Bounced(address, fault.code, fault.diagnostic)
        for address in recipients
        if not named or named == address.casefold()
    )


NO_DOMAIN = "550 5.4.310 DNS domain does not exist"
"""Of an address below `.invalid` (RFC 2606 section 2)."""


def _outgoing(
    call: Call,
    via: Via,
    octets: bytes,
    fields: list[Field],
    head: Head,
    shown: SendingAs,
    message_id: str,
) -> bytes:
    """What every recipient receives: the same octets but for the header fields that Exchange
    removes (Bcc and its own), replaces (From, Sender) or adds because they are missing."""
    replaced = {"bcc", "return-path"}
    added: list[str] = []
    changed = fault.what if (fault := call.fault(ChangedInTransport)) else ""
    if changed == "bcc":
        replaced.remove("bcc")
    if changed == "message-id":
        replaced.add("message-id")
        added.append(f"Message-ID: {new_message_id()}\r\n")
    if changed == "date":
        replaced.add("date")
        added.append(f"Date: {format_datetime(call.cloud.now())}\r\n")
    if shown.rewritten:
        replaced.add("from")
        added.append(f"From: {_written(shown.person)}\r\n")
    if shown.on_behalf_by:
        replaced.add("sender")
        added.append(f"Sender: {_written(shown.on_behalf_by)}\r\n")
    if not head.message_id:
        added.append(f"Message-ID: {message_id}\r\n")
    if not head.date:
        added.append(f"Date: {format_datetime(call.cloud.now())}\r\n")
    dropped = _dropped(call, via, fields)
    remaining = without_fields(
        octets, fields, lambda name: name in replaced or name.startswith(_RESERVED) or dropped(name)
    )
    if added:
        remaining = "".join(added).encode() + remaining
    if changed == "letters":
        remaining = remaining.replace(b"=\r\n", b"=")
    return as_transported(remaining)


_RESERVED = ("x-ms-exchange-", "x-microsoft-exchange-organization")
"""Header fields that belong to Exchange, whoever writes them."""


def _dropped(call: Call, via: Via, fields: list[Field]) -> Callable[[str], bool]:
    """Whether a mailbox loses this field of a MIME message: it keeps those that it has a property
    for. By default all survive."""
    fault = call.fault(HeadersDropped)
    if fault and fault.names:
        named = {name.lower() for name in fault.names}
        return lambda name: name in named
    promoted = PROMOTED if fault else _settings(call).promoted_headers
    known = call.cloud.mailboxes.box(call.box).known_headers
    if via == "json":
        known.update(one.name.lower() for one in fields if one.name.lower().startswith("x-"))
    if promoted is None or via == "json":
        return lambda name: False
    promoted |= known
    return lambda name: name not in promoted and not name.startswith(("content-", "mime-"))


def _written(person: Person) -> str:
    return formataddr((person.name, person.address)) if person.address.isascii() else str(person)
