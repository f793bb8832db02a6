"""In whose name a message may be sent: Exchange's check of the From header.

The caller is the signed-in user, or the mailbox in the URL if an application makes the request. Its
own addresses are always allowed; another mailbox needs Send As, or Send on Behalf, which recipients
see in a Sender header. A refusal is always ErrorSendAsDenied.
"""

from dataclasses import dataclass

from graphrelay.sandbox.directory import Directory, User
from graphrelay.sandbox.graph.errors import GraphError
from graphrelay.sandbox.mime import Head, Person
from graphrelay.sandbox.tokens import Principal


@dataclass(frozen=True, slots=True)
class SendingAs:
    """What recipients see."""

    person: Person
    """The From header; its address may differ from the one that was asked for."""
    rewritten: bool
    """Whether it does: an alias became the primary address, or there was no From."""
    on_behalf_by: Person | None = None
    """The Sender header, where the right is only Send on Behalf."""


def sending_as(
    head: Head,
    box: User,
    principal: Principal,
    directory: Directory,
    send_from_alias: bool,
) -> SendingAs:
    """Decide on the From of a message that is submitted through `box`; raises `GraphError`."""
    submitter = box if principal.app_only else directory.user(principal.oid) or box
    if not head.sender:
        return _as(_person(box), box, submitter, principal, rewritten=True)
    if len(head.sender) > 1:
        raise GraphError("ErrorSendAsDenied")
    person = head.sender[0]
    if "@" in person.name:  # seen in the field: the name is taken for another address
        raise GraphError("ErrorSendAsDenied")
    owner = directory.owner_of(person.address)
    if owner is None or owner.tenant_id != box.tenant_id:
        raise GraphError("ErrorSendAsDenied")
    is_primary = person.address.casefold() == owner.primary_address.casefold()
    if is_primary or send_from_alias:
        return _as(person, owner, submitter, principal, rewritten=False)
    primary = Person(person.name, owner.primary_address)
    return _as(primary, owner, submitter, principal, rewritten=True)


def _as(
    person: Person, owner: User, submitter: User, principal: Principal, *, rewritten: bool
) -> SendingAs:
    if owner.oid == submitter.oid:
        return SendingAs(person, rewritten)
    if not principal.app_only and "Mail.Send.Shared" not in principal.scopes:
        raise GraphError("ErrorSendAsDenied")
    if any(submitter.may_send_as(address) for address in owner.addresses):
        return SendingAs(person, rewritten)
    if any(submitter.may_send_on_behalf_of(address) for address in owner.addresses):
        return SendingAs(person, rewritten, on_behalf_by=_person(submitter))
    raise GraphError("ErrorSendAsDenied")


def _person(user: User) -> Person:
    return Person(user.display_name, user.primary_address)
