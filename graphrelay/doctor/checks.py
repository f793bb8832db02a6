"""All checks, in the order in which they run: what comes first costs nothing and explains the rest.

A name here is a row of `assumptions.TRIED`; docs/doctor.md shows both tables as one.
"""

from graphrelay.doctor import (
    arrival,
    concurrency,
    drafting,
    mailbox,
    network,
    reports,
    revocation,
    sign_in,
    sizes,
)
from graphrelay.doctor.check import Check, Must, Whom

_HEADERS = (("headers", Whom.OWN),)
"""One letter, at which several checks look."""


def _arrives(name: str, does: str) -> Check:
    run = getattr(arrival, name.replace("-", "_"))
    return Check(name=name, does=does, run=run, sends=_HEADERS, must=Must.READ)


CHECKS = (
    Check(name="dns", does="looks up the names of both hosts", run=network.dns),
    Check(name="tls", does="reads the certificates of both hosts", run=network.tls),
    Check(
        name="hosts",
        does="asks Entra ID and Graph something that needs no token",
        run=network.hosts,
    ),
    Check(name="clock", does="compares this machine's clock with theirs", run=network.clock),
    Check(
        name="redirect",
        does="asks Entra ID for both forms of the redirect URI",
        run=sign_in.redirect,
    ),
    Check(name="token", does="requests a new token", run=sign_in.token),
    Check(
        name="token-answer",
        does="compares the answer as received with what was read",
        run=sign_in.token_answer,
    ),
    Check(
        name="path-own",
        does="sends through /me",
        run=mailbox.by_own,
        sends=(("path-own", Whom.OWN),),
    ),
    Check(
        name="path-upn",
        does="sends through /users/ with the user principal name",
        run=mailbox.by_upn,
        sends=(("path-upn", Whom.OWN),),
    ),
    Check(
        name="path-address",
        does="sends through /users/ with another address of the mailbox",
        run=mailbox.by_address,
        sends=(("path-address", Whom.OWN),),
    ),
    Check(
        name="path-object-id",
        does="sends through /users/ with the object id",
        run=mailbox.by_object_id,
        sends=(("path-object-id", Whom.OWN),),
    ),
    Check(
        name="probe",
        does="submits a message without recipients, inside and outside of the scope",
        run=mailbox.probe,
    ),
    Check(
        name="denials",
        does="asks for what must be denied: another From, an unknown mailbox, a false token",
        run=mailbox.denials,
        sends=(("foreign-from", Whom.OWN),),
    ),
    Check(
        name="from",
        does="compares From with what arrives",
        run=arrival.from_field,
        sends=_HEADERS,
        must=Must.READ,
    ),
    Check(
        name="from-alias",
        does="sends with an alias in From",
        run=arrival.from_alias,
        sends=(("alias", Whom.OWN),),
        must=Must.READ,
    ),
    _arrives("message-id", "compares the Message-ID"),
    _arrives("date", "compares Date"),
    _arrives("known-headers", "compares fields that mailboxes know"),
    _arrives("other-headers", "compares Auto-Submitted and List-Id"),
    _arrives("x-headers", "compares an X- field that is new to the mailbox"),
    Check(
        name="taught",
        does="sends another X- field by JSON, and then by MIME",
        run=arrival.taught,
        sends=(("lesson", Whom.OWN), ("taught", Whom.OWN)),
        must=Must.READ,
    ),
    Check(
        name="octets",
        does="compares text in quoted-printable and in 8bit",
        run=arrival.octets,
        sends=(("octets", Whom.OWN),),
        must=Must.READ,
    ),
    Check(
        name="bcc-mime",
        does="sends blind copies in MIME",
        run=arrival.bcc_mime,
        sends=(("bcc-mime-1", Whom.BOTH), ("bcc-mime-2", Whom.BOTH)),
        must=Must.READ,
    ),
    Check(
        name="bcc-draft",
        does="sends blind copies in a MIME draft",
        run=arrival.bcc_draft,
        sends=(("bcc-draft-1", Whom.BOTH), ("bcc-draft-2", Whom.BOTH)),
        must=Must.WRITE,
    ),
    Check(
        name="no-copy",
        does="sends JSON without a copy in Sent Items",
        run=arrival.no_copy,
        sends=(("no-copy", Whom.OWN),),
        must=Must.READ,
    ),
    Check(
        name="recipients",
        does="sends to an alias, and reads the copy in Sent Items",
        run=arrival.recipients,
        sends=(("to-alias", Whom.OWN),),
        must=Must.READ,
    ),
    Check(
        name="draft-fresh",
        does="creates a draft and looks at it",
        run=drafting.fresh,
        must=Must.WRITE,
    ),
    Check(
        name="draft-sent",
        does="sends a draft and looks for it in Sent Items",
        run=drafting.sent,
        sends=(("draft", Whom.OWN),),
        must=Must.WRITE,
    ),
    Check(
        name="draft-id",
        does="sends a draft and looks at its immutable id",
        run=drafting.survives,
        sends=(("draft-id", Whom.OWN),),
        must=Must.WRITE,
    ),
    Check(
        name="draft-deleted",
        does="deletes two drafts, one of them for good",
        run=drafting.deleted,
        must=Must.WRITE,
    ),
    Check(
        name="draft-files",
        does="attaches a small file to a MIME draft, reads it back and deletes it",
        run=drafting.files,
        must=Must.WRITE,
    ),
    Check(
        name="upload",
        does="uploads 3.5 MB to a draft, and deletes it",
        run=drafting.upload,
        must=Must.WRITE,
    ),
    Check(
        name="size-mime",
        does="submits MIME of 4 MB to 48 MB without recipients",
        run=sizes.of_mime,
    ),
    Check(
        name="size-draft",
        does="creates drafts of 4 MB to 10 MB, and deletes them",
        run=sizes.of_draft,
        must=Must.WRITE,
    ),
    Check(
        name="size-attachment",
        does="attaches files of 4 MB to 10 MB to a draft, and deletes it",
        run=sizes.of_attachment,
        must=Must.WRITE,
    ),
    Check(
        name="report-filter",
        does="lists the reports in the Inbox",
        run=reports.filtered,
        must=Must.READ,
    ),
    Check(
        name="report",
        does="sends to an address that does not exist, and waits for the report",
        run=reports.report,
        sends=(("nobody", Whom.NOBODY),),
        must=Must.READ,
    ),
    Check(
        name="six-at-once",
        does="makes six requests at once, which send nothing",
        run=concurrency.six_at_once,
    ),
    Check(
        name="revoked",
        does="asks you to revoke the user's sessions, and looks at the answers",
        run=revocation.revoked,
    ),
)
