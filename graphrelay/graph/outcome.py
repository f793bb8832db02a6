"""What an answer from Graph means for the message. Only this table decides it.

It uses the HTTP status and `error.code`, never the message text, which Microsoft may change at any
time (https://learn.microsoft.com/en-us/graph/errors). The first row that matches decides:

    the status of success    relayed, whatever else the answer contains (even Retry-After)
    another 2xx              uncertain: a message too large was once answered 200, and was not sent
    502, 504                 uncertain: a gateway lost the request
    a code in CODES          as listed; the innermost known code is the most specific
    a status in STATUSES     as listed
    4xx with another code    delayed, and reported as unknown, until the lifetime is over
    4xx without a code       not an answer from Graph (a proxy, a portal): delayed
    5xx                      uncertain: the message may have been sent

In case of doubt mail waits: a wrong `Delayed` costs hours, a wrong `Failed` costs the message. So
only what `CODES` lists as permanent is, and 413. That the token is refused
(`Trouble.AUTHORIZATION`) counts only once a fresh one has been refused as well; `session` sees to
that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from graphrelay.graph.http.answer import (
    GraphError,
    HttpAnswer,
    describe,
    read_error,
)
from graphrelay.model import Delayed, Failed, Outcome, Paused, Relayed, Trouble, Uncertain
from graphrelay.retry_after import retry_after


@dataclass(frozen=True, slots=True)
class _Never:
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Later:
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Unclear:
    reason: str


@dataclass(frozen=True, slots=True)
class _Pause:
    trouble: Trouble
    status: str
    reason: str


_Meaning = _Never | _Later | _Unclear | _Pause

_BUSY = _Later("4.3.2", "Exchange is busy")
_THROTTLED = _Later("4.4.5", "Microsoft asked to slow down")
_ELSEWHERE = _Later("4.1.8", "Graph does not find the mailbox (new ones take some minutes)")
_STALE = _Later(
    "4.1.8",
    "Graph's record of the mailbox is out of date (if it stays, name the mailbox by its object id)",
)
_NOT_ONLINE = _Later("4.2.1", "the mailbox is inactive, or not in Exchange Online")
_DISABLED = _Later("4.2.1", "the sending account is disabled")
_TOO_LARGE = _Never("5.3.4", "the message is larger than Graph takes in one request")
_OVER_LIMIT = _Never(
    "5.2.3", "the message is larger than the mailbox may send (its MaxSendSize in Exchange)"
)
_TOO_MANY = _Never("5.5.3", "more recipients than the mailbox may send to at once")
_MALFORMED = _Never("5.6.0", "Exchange cannot read the message")
_REQUEST = _Never("5.5.0", "Graph cannot read the request")
_HEADERS = _Never("5.6.0", "Graph refused a header of the message")
_CONTENT = _Never("5.7.1", "Exchange refused the content of the message")
_REJECTED_TOKEN = _Pause(Trouble.AUTHORIZATION, "4.7.0", "Graph refused the access token")
_DENIED = _Pause(Trouble.AUTHORIZATION, "4.7.0", "the account may not send through this mailbox")
_MAILBOX_FULL = _Pause(Trouble.QUOTA, "4.2.2", "the sending mailbox is full")
_SENT_TOO_MUCH = _Pause(Trouble.QUOTA, "4.7.28", "the mailbox has sent as much as it may for now")
_BLOCKED = _Pause(Trouble.BLOCKED, "4.7.1", "Microsoft has blocked the mailbox from sending")
_ALL_BLOCKED = _Pause(
    Trouble.BLOCKED, "4.7.1", "Microsoft has blocked the organization from sending"
)
_NOT_FOUND = _Later("4.3.0", "Exchange does not find the message")

# The meaning of `error.code`, in Microsoft's spelling; compared without regard to case, as
# Microsoft does not keep to one.
CODES: dict[str, _Meaning] = {
    # The message or the request
    "ErrorInvalidRecipients": _Never("5.1.3", "Exchange refused the address of a recipient"),
    "ErrorMimeContentInvalidBase64String": _MALFORMED,
    "ErrorMimeContentInvalid": _MALFORMED,
    "UnableToDeserializePostBody": _REQUEST,
    "RequestBodyRead": _REQUEST,
    "InvalidInternetMessageHeader": _HEADERS,
    "InvalidInternetMessageHeaderCollection": _HEADERS,
    "ErrorMessageSizeExceeded": _OVER_LIMIT,
    "RequestEntityTooLarge": _TOO_LARGE,
    "ErrorRecipientLimitExceeded": _TOO_MANY,
    "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize": _REQUEST,
    "ErrorVirusDetected": _Never("5.7.1", "Exchange found a virus in the message"),
    "ErrorMessageBlocked": _CONTENT,
    # The sender
    "ErrorSendAsDenied": _Never(
        "5.7.1", "the account holds neither Send As nor Send on Behalf for the From address"
    ),
    "ErrorInvalidUser": _ELSEWHERE,
    "ResourceNotFound": _ELSEWHERE,
    "Request_ResourceNotFound": _ELSEWHERE,
    "ErrorNonExistentMailbox": _ELSEWHERE,
    "MailboxInfoStale": _STALE,
    "MailboxNotEnabledForRESTAPI": _NOT_ONLINE,
    "MailboxNotHostedInExchangeOnline": _NOT_ONLINE,
    "ErrorAccountDisabled": _DISABLED,
    # The token
    "InvalidAuthenticationToken": _REJECTED_TOKEN,
    "AuthenticationError": _REJECTED_TOKEN,
    "insufficient_claims": _REJECTED_TOKEN,
    "ErrorAccessDenied": _DENIED,
    "Authorization_RequestDenied": _DENIED,
    # Quotas and blocks of the mailbox
    "ErrorQuotaExceeded": _MAILBOX_FULL,
    "ErrorSubmissionQuotaExceeded": _SENT_TOO_MUCH,
    "ErrorExceededMessageLimit": _SENT_TOO_MUCH,
    "ErrorExceededMessageLimitShowTierUpgrade": _SENT_TOO_MUCH,
    "ErrorExceededHourlyMessageLimit": _SENT_TOO_MUCH,
    "ErrorExceededMaxRecipientLimit": _SENT_TOO_MUCH,
    "ErrorExceededMaxRecipientLimitShowTierUpgrade": _SENT_TOO_MUCH,
    "ErrorExceededMaxRecipientLimitBlock": _SENT_TOO_MUCH,
    "ErrorMessageSubmissionBlocked": _BLOCKED,
    "ErrorAccountSuspend": _BLOCKED,
    "ErrorAccountSuspendShowTierUpgrade": _BLOCKED,
    "ErrorOrganizationAccessBlocked": _ALL_BLOCKED,
    # Too much at once
    "ApplicationThrottled": _THROTTLED,
    "TooManyRequests": _THROTTLED,
    "ErrorTooManyObjectsOpened": _THROTTLED,
    "CommandConcurrencyLimitReached": _THROTTLED,
    "ErrorMessageThrottled": _THROTTLED,
    # Exchange is busy or being maintained
    "ErrorServerBusy": _BUSY,
    "serviceNotAvailable": _BUSY,
    "ErrorMailboxStoreUnavailable": _BUSY,
    "ErrorInsufficientResources": _BUSY,
    "ErrorMailboxMoveInProgress": _Later("4.2.1", "the mailbox is being moved"),
    "ErrorMailboxFailover": _BUSY,
    "ErrorADUnavailable": _BUSY,
    "ErrorIrresolvableConflict": _BUSY,
    "ResourceUnhealthy": _BUSY,
    "ErrorMessageTransientError": _BUSY,
    "ErrorMessageTimeout": _BUSY,
    "ErrorItemNotFound": _NOT_FOUND,
    "itemNotFound": _NOT_FOUND,
    # Exchange tried, and the result is unknown
    "ErrorTimeoutExpired": _Unclear("Exchange took too long"),
    "ErrorInternalServerError": _Unclear("an internal error of Exchange"),
    "ErrorInternalServerTransientError": _Unclear("an internal error of Exchange"),
}

# For answers without a known code.
STATUSES: dict[int, _Meaning] = {
    401: _REJECTED_TOKEN,
    403: _Later("4.7.0", "the request was forbidden, and Graph gave no reason"),
    408: _Later("4.4.2", "Graph waited too long for the request"),
    409: _BUSY,
    412: _BUSY,
    413: _TOO_LARGE,
    421: _BUSY,
    423: _BUSY,
    425: _BUSY,
    429: _THROTTLED,
    501: _BUSY,
    503: _BUSY,
    507: _BUSY,
    509: _THROTTLED,
}

_LOST_BY_GATEWAY = _Unclear("a gateway in front of Exchange gave up waiting")
_REDIRECT = _Later("4.3.5", "the answer was a redirect: a proxy may be between the relay and Graph")
_NOT_GRAPH = _Later(
    "4.3.5", "the answer was not from Graph: a proxy may be between the relay and Graph"
)
_SERVER_ERROR = _Unclear("an internal error of Graph")

_BY_CODE = {code.casefold(): meaning for code, meaning in CODES.items()}


def outcome_of(
    answer: HttpAnswer, client_request_id: str, now: datetime, success: int | None = None
) -> Outcome:
    """What `answer` means. `success` is the only status by which the request succeeded, `None` any
    2xx. `now` is for a Retry-After that is a date."""
    error = read_error(answer.body)
    said = describe(answer, error, client_request_id)
    if 200 <= answer.status < 300:
        if success in (None, answer.status):
            return Relayed(answer=said)
        reason = f"Graph answered {answer.status}, and only {success} means that it succeeded"
        return Uncertain(reason=reason, answer=said)
    meaning = _meaning(answer.status, error)
    wait = retry_after(answer.headers, now)
    match meaning:
        case _Never(status, reason):
            return Failed(status=status, reason=reason, answer=said)
        case _Later(status, reason):
            return Delayed(status=status, reason=reason, retry_after=wait, answer=said)
        case _Unclear(reason):
            return Uncertain(reason=reason, retry_after=wait, answer=said)
        case _Pause(trouble, status, reason):
            return Paused(
                trouble=trouble, status=status, reason=reason, retry_after=wait, answer=said
            )


def _meaning(status: int, error: GraphError) -> _Meaning:
    if status in (502, 504):
        return _LOST_BY_GATEWAY
    return _by_code(reversed(error.codes)) or STATUSES.get(status) or _by_class(status, error)


def _by_code(codes: Iterable[str]) -> _Meaning | None:
    return next((_BY_CODE[code.casefold()] for code in codes if code.casefold() in _BY_CODE), None)


def _by_class(status: int, error: GraphError) -> _Meaning:
    if status >= 500:
        return _SERVER_ERROR
    if 300 <= status < 400:
        return _REDIRECT
    return _unknown(error.codes[-1]) if error.codes else _NOT_GRAPH


def _unknown(code: str) -> _Later:
    return _Later("4.3.0", f"Graph refused it with a code that the relay does not know ({code})")
