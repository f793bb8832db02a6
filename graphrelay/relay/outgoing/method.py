"""The method by which a message is submitted, and what is lost by it. It depends only on the
message and the account's options, so every attempt uses the same one.

                                  it fits into a request          it does not
    content = "mime"              AtOnce, MIME                    ByDraft, MIME and files, if
                                                                  large_messages is on; else
    taken apart                   AtOnce, JSON                    ByDraft, if large_messages is on
    exact_once is on              ByDraft, MIME or taken apart    ByDraft

Signed and encrypted messages are never taken apart; nor, if the route says so, are invitations that
fit into a request. Only JSON can leave no copy in Sent Items
(https://learn.microsoft.com/en-us/graph/api/user-sendmail).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from graphrelay.graph.base64stream import REQUEST, encoded_size
from graphrelay.graph.session import Json, Mime
from graphrelay.model import Failed, OctetsInMemory, OctetSource, Outcome, Submission
from graphrelay.oauth.scenario import AccountOptions
from graphrelay.relay.outgoing import as_json, as_mime, mime_draft
from graphrelay.relay.outgoing.as_json import Converted
from graphrelay.relay.outgoing.attachment import Attachment
from graphrelay.relay.outgoing.body_parts import Sealed
from graphrelay.relay.outgoing.mime_draft import MimeDraft

Compose = Callable[[Submission], Awaitable[OctetSource]]
"""Returns the octets for Graph: the message with its header section edited."""

NO_OPTIONS = AccountOptions()
COPY_STAYS = "no copy in Sent Items: a message of this size leaves one"
INVITATION_STAYS = "no copy in Sent Items: an invitation that goes as MIME leaves one"


@dataclass(frozen=True, slots=True)
class AtOnce:
    """In one request: unchanged as MIME, or taken apart as JSON."""

    content: Mime | Json
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ByDraft:
    """Created in Drafts, where the attachments are added, and then sent."""

    content: Mime | Json
    attachments: tuple[Attachment, ...] = ()
    lost: tuple[str, ...] = ()
    from_mime: MimeDraft | None = None
    """Where the draft is created as MIME and given its attachments, which must be verified."""


SubmissionMethod = AtOnce | ByDraft


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the account may do, and what one request may contain."""

    options: AccountOptions = NO_OPTIONS
    request: int = REQUEST
    """Octets of the largest request."""
    mime: int = REQUEST
    """Octets of the base64 of the largest message as MIME, which may be more."""
    at_once: bool = True
    """Whether the message may go in one request; Graph may have refused that."""
    bare: bool = False
    """Without the header fields that Graph refused."""
    mime_drafts: bool = True
    """Whether a draft in MIME may be given files; Exchange may have lost such files."""


async def choose(
    submission: Submission, allowed: Allowance, compose: Compose
) -> SubmissionMethod | Failed:
    """Raises `StorageUnavailable` and `as_mime.UnreadableHeader`."""
    plan = submission.plan
    if plan.content == "mime" and plan.save_to_sent_items:
        mime = await _mime(submission, allowed, compose)
        if mime is not None:
            return mime
        if (draft := await _mime_draft(submission, allowed)) is not None:
            return draft
    found = await as_json.convert(
        submission, most_headers=0 if allowed.bare else as_json.MOST_HEADERS
    )
    if isinstance(found, Sealed):
        return await _sealed(submission, allowed, compose, found)
    if found.invites and plan.invitations == "mime":
        mime = await _mime(submission, allowed, compose)
        if mime is not None:
            return mime if plan.save_to_sent_items else _leaving_a_copy(mime)
    return await _taken_apart(submission, allowed, found)


async def _mime(
    submission: Submission, allowed: Allowance, compose: Compose
) -> SubmissionMethod | None:
    """`None` if it does not fit into one request."""
    lost: tuple[str, ...] = ()
    if allowed.bare:
        octets, lost = await as_mime.bare(submission)
    else:
        octets = await compose(submission)
    if encoded_size(octets.size) > allowed.mime or not allowed.at_once:
        return None
    if allowed.options.exact_once:
        return ByDraft(Mime(octets), lost=lost)
    return AtOnce(Mime(octets), lost)


async def _mime_draft(submission: Submission, allowed: Allowance) -> ByDraft | None:
    """What is too large for one request, in the form that keeps most of it; `None` if it cannot go
    so."""
    if not (allowed.options.large_messages and allowed.mime_drafts) or allowed.bare:
        return None
    if submission.plan.redirect_to:
        return None
    found = await mime_draft.convert(submission, allowed.request)
    if found is None:
        return None
    return ByDraft(Mime(OctetsInMemory(found.octets)), found.attachments, found.lost, found)


def _leaving_a_copy(mime: SubmissionMethod) -> SubmissionMethod:
    return replace(mime, lost=(*mime.lost, INVITATION_STAYS))


async def _sealed(
    submission: Submission, allowed: Allowance, compose: Compose, sealed: Sealed
) -> SubmissionMethod | Failed:
    """Unchanged, unless it must leave no copy or does not fit."""
    if submission.plan.save_to_sent_items:
        mime = await _mime(submission, allowed, compose)
        if mime is not None:
            return mime
        why = f"and is larger than the {_megabytes(allowed.mime)} of one request to Graph"
    else:
        why = "and MIME, which would keep it whole, leaves a copy in Sent Items"
    return Failed(status="5.6.3", reason=f"{sealed.reason}, {why}")


async def _taken_apart(
    submission: Submission, allowed: Allowance, found: Converted
) -> SubmissionMethod | Failed:
    save = submission.plan.save_to_sent_items
    octets = await found.send_mail(save_to_sent_items=save)
    fits = octets.size <= allowed.request and allowed.at_once
    if fits and not (allowed.options.exact_once and save):
        return AtOnce(Json(octets), found.lost)
    if not (allowed.options.large_messages or fits):
        most = _megabytes(allowed.request)
        reason = f"the message is larger than the {most} of one request to Graph{_LET_THROUGH}"
        return Failed(status="5.3.4", reason=reason)
    if len(found.draft()) > allowed.request:
        headers = 0 if allowed.bare else as_json.MOST_HEADERS
        shorter = await as_json.convert(submission, most_headers=headers, longest_body=0)
        found = shorter if isinstance(shorter, Converted) else found
    draft = found.draft()
    if len(draft) > allowed.request:
        reason = "the header section alone is larger than one request to Graph can be"
        return Failed(status="5.3.4", reason=reason)
    lost = found.lost if save else (*found.lost, COPY_STAYS)
    return ByDraft(Json(OctetsInMemory(draft)), found.attachments, lost)


_LET_THROUGH = "; large_messages = true for the account would let it through"


def needs_large_messages(outcome: Outcome) -> Outcome:
    """A refusal because of the size, if the account has no other method."""
    if isinstance(outcome, Failed) and outcome.answer.http_status == 413:
        return replace(outcome, reason=f"{outcome.reason}{_LET_THROUGH}")
    return outcome


def _megabytes(octets: int) -> str:
    return f"{octets / 1_000_000:.3g} MB"
