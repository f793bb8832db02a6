"""By which way a message goes, and what it loses there. Decided by what it is and what the account
may do, so that every attempt takes the same.

                                  it fits into a request          it does not
    content = "mime"              AsMime                          taken apart, as below
    taken apart                   AsJson                          ByDraft, where the account may
    the account sends exact once  ByDraft, MIME or taken apart    ByDraft

What is signed or encrypted is never taken apart. Only JSON can leave no copy in Sent Items
(https://learn.microsoft.com/en-us/graph/api/user-sendmail).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from graphrelay.graph.base64stream import encoded_size
from graphrelay.graph.drafts import Json, Mime
from graphrelay.model import Failed, OctetSource, Submission
from graphrelay.relay.outgoing import as_json, as_mime
from graphrelay.relay.outgoing.as_json import Converted
from graphrelay.relay.outgoing.attachment import Attachment
from graphrelay.relay.outgoing.body_parts import Sealed

Compose = Callable[[Submission], Awaitable[OctetSource]]
"""The octets that go to Graph: the message with Bcc and From as they must be."""

REQUEST = 4_000_000
"""Octets of the largest request that Graph takes. Documented as "4 MB"; the smaller reading."""
COPY_STAYS = "no copy in Sent Items: a message of this size leaves one"


@dataclass(frozen=True, slots=True)
class AsMime:
    """In one request, octet for octet."""

    octets: OctetSource
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AsJson:
    """In one request, taken apart."""

    octets: OctetSource
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ByDraft:
    """Put into Drafts, given its attachments there, and sent."""

    content: Mime | Json
    attachments: tuple[Attachment, ...] = ()
    lost: tuple[str, ...] = ()


Way = AsMime | AsJson | ByDraft


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the account may do, and what a request may carry."""

    exact_once: bool = False
    large_messages: bool = False
    request: int = REQUEST
    at_once: bool = True
    """Whether one request may carry the message; Graph may have said that it cannot."""


def wants_json(submission: Submission) -> bool:
    """Whether its route asks for that, by name or by leaving no copy."""
    plan = submission.plan
    return plan.content == "json" or not plan.save_to_sent_items


async def way(
    submission: Submission, allowed: Allowance, compose: Compose, *, bare: bool = False
) -> Way | Failed:
    """`bare`: without the header fields that Graph refused.

    Raises `StorageUnavailable` and `message.UnreadableHeader`.
    """
    if not wants_json(submission):
        mime = await _mime(submission, allowed, compose, bare=bare)
        if mime is not None:
            return mime
    found = await as_json.convert(submission, most_headers=0 if bare else as_json.MOST_HEADERS)
    if isinstance(found, Sealed):
        return await _sealed(submission, allowed, compose, found, bare=bare)
    return await _taken_apart(submission, allowed, found, bare=bare)


async def _mime(
    submission: Submission, allowed: Allowance, compose: Compose, *, bare: bool
) -> Way | None:
    """`None` where it does not fit into a request."""
    octets, lost = await as_mime.bare(submission) if bare else (await compose(submission), ())
    if encoded_size(octets.size) > allowed.request or not allowed.at_once:
        return None
    return ByDraft(Mime(octets), lost=lost) if allowed.exact_once else AsMime(octets, lost)


async def _sealed(
    submission: Submission, allowed: Allowance, compose: Compose, sealed: Sealed, *, bare: bool
) -> Way | Failed:
    """As it is, unless it must leave no copy, or does not fit."""
    if submission.plan.save_to_sent_items:
        mime = await _mime(submission, allowed, compose, bare=bare)
        if mime is not None:
            return mime
        why = f"and is larger than the {_megabytes(allowed.request)} of one request to Graph"
    else:
        why = "and MIME, which would keep it whole, leaves a copy in Sent Items"
    return Failed(status="5.6.3", reason=f"{sealed.reason}, {why}")


async def _taken_apart(
    submission: Submission, allowed: Allowance, found: Converted, *, bare: bool
) -> Way | Failed:
    save = submission.plan.save_to_sent_items
    octets = await found.send_mail(save_to_sent_items=save)
    fits = octets.size <= allowed.request and allowed.at_once
    if fits and not (allowed.exact_once and save):
        return AsJson(octets, found.lost)
    if not (allowed.large_messages or fits):
        most = _megabytes(allowed.request)
        reason = f"the message is larger than the {most} of one request to Graph, and the account"
        reason += " may not send larger ones (large_messages)"
        return Failed(status="5.3.4", reason=reason)
    if len(found.draft()) > allowed.request:
        headers = 0 if bare else as_json.MOST_HEADERS
        shorter = await as_json.convert(submission, most_headers=headers, longest_body=0)
        found = shorter if isinstance(shorter, Converted) else found
    draft = found.draft()
    if len(draft) > allowed.request:
        reason = "the header section alone is larger than one request to Graph can be"
        return Failed(status="5.3.4", reason=reason)
    lost = found.lost if save else (*found.lost, COPY_STAYS)
    return ByDraft(Json(as_mime.InMemory(draft)), found.attachments, lost)


def _megabytes(octets: int) -> str:
    return f"{octets / 1_000_000:.3g} MB"
