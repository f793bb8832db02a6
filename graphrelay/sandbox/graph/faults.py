"""What Graph and Exchange do wrong on purpose: kinds of faults beside those of any server.

The 4xx and 5xx answers of the catalogue are all one kind, `Refuse`. What the server's own kinds
already say (202 with Retry-After, a lost answer, a delay) is not repeated here.
"""

from dataclasses import dataclass
from typing import Literal

from graphrelay.sandbox.faults import Fault, fault_kind
from graphrelay.sandbox.graph.errors import Form, GraphError
from graphrelay.sandbox.mailbox_settings import Oversize
from graphrelay.sandbox.mime import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFault(Fault):
    """A fault that can be limited to certain messages; all conditions that are given must hold."""

    recipient: str = ""
    """An address in To, Cc or Bcc."""
    subject: str = ""
    """What the subject contains."""

    @property
    def reads_message(self) -> bool:
        """Whether it can only be decided once the message has been read."""
        return bool(self.recipient or self.subject)

    def concerns(self, head: Head) -> bool:
        named = self.recipient.casefold()
        return self.subject in head.subject and (
            not named or any(named == person.address.casefold() for person in head.recipients)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueAnswer(MessageFault):
    """An answer with an error of the catalogue."""

    code: str
    status: int = 0
    """Instead of the catalogue's."""
    message: str = ""
    """Instead of the catalogue's."""
    retry_after: str = ""
    """The header's value: seconds, a fraction, a date or nonsense; empty leaves it out."""
    retry_after_name: str = "Retry-After"
    """To try a lower-case name."""
    form: Form = "json"

    def error(self) -> GraphError:
        headers = {self.retry_after_name: self.retry_after} if self.retry_after else {}
        return GraphError(self.code, self.message or None, self.status, headers, self.form)


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(CatalogueAnswer):
    """Answer with an error, and process nothing."""


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseAfter(CatalogueAnswer):
    """Process it, and then answer with an error all the same (504 although the mail was sent)."""


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefused(Fault):
    """401: the access token died before its time."""

    message: str = "Access token has expired or is not yet valid."
    claims: str = ""
    """A claims challenge in JSON: `insufficient_claims` (continuous access evaluation)."""
    several_lines: bool = False
    """Whether `WWW-Authenticate` comes in several lines, and the claims in the first of them."""


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class CutMidBody(Fault):
    """Close the connection after this much of the request's body; process nothing."""

    octets: int = 1


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRecipient(Fault):
    """400 ErrorInvalidRecipients, naming it, for every message to this address."""

    address: str


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRefused(Fault):
    """400 InvalidInternetMessageHeader for every message with a header field of this name."""

    name: str


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class HeadersDropped(Fault):
    """Deliver without custom header fields: these, or all that a mailbox has no property for."""

    names: tuple[str, ...] = ()


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedInTransport(Fault):
    """Deliver with something changed that is usually left alone: another Message-ID, the present
    Date, the Bcc field shown, or letters damaged (soft line breaks of quoted-printable)."""

    what: Literal["message-id", "date", "bcc", "letters"]


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class NonDelivery(MessageFault):
    """202, and then a report in the sender's Inbox in place of delivery to `recipient` (or all)."""

    code: str = "5.1.10"
    diagnostic: str = (
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"
    )


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class OversizeAnswer(Fault):
    """What a request above the limit gets: `413`, `400` or `200` (and no mail)."""

    answer: Oversize


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class ItemNotFoundOnSend(Fault):
    """/send answers 404 ErrorItemNotFound, whether the message was sent or not."""

    sent: bool = False


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStuck(Fault):
    """/send answers 202, and the message stays in Drafts and reaches nobody."""


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class SlowSentItems(Fault):
    """The message is sent, and look-ups still see a draft this many times."""

    lookups: int = 1


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class StaleReplica(Fault):
    """A look-up is answered from a replica that is behind: by id 404, by filter an empty list."""


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFilterRefused(Fault):
    """400 for a look-up that filters by message class."""

    code: str = "ErrorRestrictionTooComplex"


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class UploadExpired(Fault):
    """The next piece finds that its upload session is gone."""


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class UploadAddress(Fault):
    """The answer to createUploadSession names this address, at which there is no session."""

    address: str
