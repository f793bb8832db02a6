"""Graph's errors: the codes, their statuses and Microsoft's own texts.

Clients must go by status and code, never by the text (Microsoft Graph, "Error responses and
resource types"). Answers that come from Exchange (`Error…`) mostly carry no `innerError`, those of
Graph's own gateway do. Where a status was never verified, `faults.Refuse` can set another.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Form = Literal["json", "empty", "html"]
"""How the body looks: a gateway's 502 or 503 is empty or a page of HTML."""

_SUBMIT = ", Cannot submit message."
_SAVE = ", Cannot save changes made to an item to store."
ACCESS_DENIED = "Access is denied. Check credentials and try again."
BLOCKED_BY_POLICY = (
    "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy "
    "settings."
)
NO_RECIPIENTS = (
    "At least one recipient is not valid., A message can't be sent because it contains no "
    "recipients."
)

CATALOGUE: dict[str, tuple[int, str]] = {
    # The message itself
    "BadRequest": (400, "The request is invalid."),
    "RequestBodyRead": (400, "The request body could not be read."),
    "UnableToDeserializePostBody": (400, "were unable to deserialize "),
    "ErrorInvalidRecipients": (400, "At least one recipient is not valid." + _SUBMIT),
    "ErrorMimeContentInvalidBase64String": (400, "Invalid base64 string for MIME content."),
    "ErrorMimeContentInvalid": (400, "The MIME content is invalid."),
    "ErrorInvalidIdMalformed": (400, "Id is malformed."),
    "ErrorInvalidPropertySet": (400, "Property is read-only and cannot be set."),
    "InvalidInternetMessageHeader": (
        400,
        "The internet message header name should start with 'x-' or 'X-'.",
    ),
    "InvalidInternetMessageHeaderCollection": (
        400,
        "Maximum number of headers in one message should be less than or equal to 5.",
    ),
    "ErrorMessageSizeExceeded": (400, "The message exceeds the maximum supported size." + _SAVE),
    "RequestEntityTooLarge": (413, "The maximum request length supported is 4MB."),
    "ErrorRecipientLimitExceeded": (400, "The recipient limit was exceeded." + _SUBMIT),
    "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize": (
        400,
        "Attachment size should be greater than or equal to the minimum size of 3145728.",
    ),
    "ErrorVirusDetected": (400, "A virus was detected in the message."),
    "ErrorMessageBlocked": (400, "The message was blocked."),
    # The sender and the mailbox
    "ErrorSendAsDenied": (
        403,
        "The user account which was used to submit this request does not have the right to send "
        "mail on behalf of the specified sending account." + _SUBMIT,
    ),
    "ErrorInvalidUser": (404, "The requested user is invalid."),
    "ResourceNotFound": (404, "Resource could not be discovered."),
    "Request_ResourceNotFound": (404, "The resource does not exist."),
    "MailboxNotEnabledForRESTAPI": (
        404,
        "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
    ),
    "MailboxNotHostedInExchangeOnline": (404, "The mailbox is not hosted in Exchange Online."),
    "ErrorNonExistentMailbox": (404, "The SMTP address has no mailbox associated with it."),
    "ErrorAccountDisabled": (403, "The account has been disabled."),
    "MailboxInfoStale": (404, "Mailbox info is stale."),
    "ErrorItemNotFound": (404, "The specified object was not found in the store."),
    "itemNotFound": (404, "The resource could not be found."),
    "PreconditionFailed": (412, "The If-Match condition of the request failed."),
    # Authorization
    "InvalidAuthenticationToken": (401, "Access token has expired or is not yet valid."),
    "AuthenticationError": (401, "Error authenticating with resource"),
    "InvalidAudienceForResource": (
        401,
        "The audience claim value is invalid for current resource. Audience claim is "
        "'https://graph.microsoft.com', request url is 'https://outlook.office.com' and resource "
        "type is 'Exchange'.",
    ),
    "ErrorAccessDenied": (403, ACCESS_DENIED),
    "Authorization_RequestDenied": (403, "Insufficient privileges to complete the operation."),
    # Quotas
    "ErrorMessageSubmissionBlocked": (403, "Sending mail is blocked for this account."),
    "ErrorExceededMessageLimit": (
        403,
        "Cannot send mail. Daily Message/Recipient limit exceeded. Follow the instructions in "
        "your Inbox to verify your account.",
    ),
    "ErrorExceededMessageLimitShowTierUpgrade": (403, "Daily message limit exceeded."),
    "ErrorExceededMaxRecipientLimit": (403, "The recipient limit was exceeded." + _SUBMIT),
    "ErrorExceededMaxRecipientLimitShowTierUpgrade": (403, "The recipient limit was exceeded."),
    "ErrorExceededMaxRecipientLimitBlock": (403, "The recipient limit was exceeded."),
    "ErrorExceededHourlyMessageLimit": (403, "Cannot send mail. Hourly limit exceeded."),
    "ErrorSubmissionQuotaExceeded": (403, "The submission quota was exceeded." + _SUBMIT),
    "ErrorAccountSuspend": (403, "Account suspended."),
    "ErrorAccountSuspendShowTierUpgrade": (403, "Account suspended."),
    "ErrorOrganizationAccessBlocked": (403, "Access is blocked for this organization."),
    "ErrorQuotaExceeded": (507, "Mailbox has exceeded maximum mailbox size." + _SAVE),
    # Temporary errors
    "ApplicationThrottled": (429, "Application is over its MailboxConcurrency limit."),
    "TooManyRequests": (429, "Please retry again later."),
    "ErrorTooManyObjectsOpened": (
        429,
        "Too many concurrent connections opened., Cannot open mailbox.",
    ),
    "CommandConcurrencyLimitReached": (429, "Command concurrency limit reached."),
    "ErrorMessageThrottled": (429, "The message was throttled." + _SUBMIT),
    "ErrorMessageTransientError": (403, "The message could not be sent. Try again later."),
    "ErrorMessageTimeout": (408, "The message could not be sent in time. Try again later."),
    "ResourceUnhealthy": (503, "The resource is unhealthy. Try again later."),
    "ErrorServerBusy": (503, "The server cannot service this request right now. Try again later."),
    "serviceNotAvailable": (503, "The service is not available."),
    "ErrorMailboxStoreUnavailable": (503, "The mailbox database is temporarily unavailable."),
    "ErrorInsufficientResources": (503, "Insufficient resources to process the request."),
    "ErrorMailboxMoveInProgress": (503, "Mailbox move in progress."),
    "ErrorMailboxFailover": (503, "The mailbox database failed over to another server."),
    "ErrorADUnavailable": (503, "Active Directory is not available. Try your request later."),
    "ErrorTimeoutExpired": (504, "The request timed out."),
    "ErrorInternalServerError": (500, "An internal server error occurred. The operation failed."),
    "ErrorMimeContentConversionFailed": (500, "The content of the item could not be converted."),
    "ErrorInternalServerTransientError": (
        500,
        "An internal server error occurred. Try again later.",
    ),
    "UnknownError": (504, ""),
    "ErrorIrresolvableConflict": (
        409,
        "The send or update operation could not be performed because the change key passed in "
        "the request does not match the current change key for the item.",
    ),
    # Requests that no client should make
    "MethodNotAllowed": (405, "Specified HTTP method is not allowed for the request target."),
    "ErrorInvalidRange": (416, "The range of the piece is not the one that was expected."),
    "UnsupportedMediaType": (415, "The content type of the request is not supported."),
    "NotImplemented": (501, "The sandbox does not do this."),
}


_PAGE = (
    b"<html><head><title>Service unavailable</title></head>"
    b"<body><h2>Our services aren't available right now</h2></body></html>"
)


@dataclass(slots=True, eq=False)
class GraphError(Exception):
    """An error answer. Status and text come from the catalogue unless given."""

    code: str
    text: str | None = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    form: Form = "json"
    more_challenges: tuple[str, ...] = ()
    """Further lines of WWW-Authenticate."""

    def __post_init__(self) -> None:
        known = CATALOGUE.get(self.code)
        self.status = self.status or (known[0] if known else 400)
        if self.text is None:
            self.text = known[1] if known else self.code

    def body(self, request_id: str, client_request_id: str, now: datetime) -> bytes:
        """The error envelope in JSON, or what replaces it."""
        if self.form != "json":
            return _PAGE if self.form == "html" else b""
        date = f"{now:%Y-%m-%dT%H:%M:%S}"
        ids = {"date": date, "request-id": request_id, "client-request-id": client_request_id}
        error: dict[str, Any] = {"code": self.code, "message": self.text}
        if self.code == "TooManyRequests":
            ids |= {"code": "429", "message": "Please retry after", "status": "429"}
        if not self.code.startswith("Error"):
            error["innerError"] = ids
        return json.dumps({"error": error}).encode()
