"""What the relay assumes of Entra ID, Graph and Exchange Online: one table.

`doctor` tries each row that can be tried without harm, and says what was seen and what that
changes. `init`, `authorize`, `status` and the warnings of `check-config` quote the same rows, and
docs/doctor.md is compared with them. A fact about Microsoft that people are shown is written here
once, or in the table of consent (`oauth/consent.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Assumption:
    """One row."""

    name: str
    """Of the check, for those that `doctor` tries."""
    assumed: str
    """What the relay works with; no full stop, so that it can be quoted within a sentence."""
    otherwise: str
    """What changes where it is different."""


def _by_name(rows: Iterable[Assumption]) -> dict[str, Assumption]:
    return {row.name: row for row in rows}


SAID = _by_name(
    (
        Assumption(
            "managed-identity",
            "Azure caches the tokens of a managed identity for up to 24 hours and issues none "
            "sooner",
            "a change of its roles takes effect earlier",
        ),
        Assumption(
            "initial-domain",
            "addresses at onmicrosoft.com reach 100 external recipients a day for the whole "
            "organization",
            "mail beyond that comes back as 5.7.236, and the relay names the remedy",
        ),
        Assumption(
            "scope-delay",
            "a scope takes effect after 30 minutes to 2 hours",
            "until then mail waits with ErrorAccessDenied, and goes by itself",
        ),
        Assumption(
            "refresh-token",
            "a sign-in lapses after 90 days without use",
            "the account has to be authorized again; the relay uses it long before",
        ),
    )
)
"""What is quoted, and cannot be tried in one sitting."""

TRIED = _by_name(
    (
        # The way to Microsoft
        Assumption(
            "dns",
            "the names of both hosts are known to this machine",
            "nothing can be sent: ask whoever runs DNS here, or set proxy in [cloud]",
        ),
        Assumption(
            "tls",
            "both hosts show a certificate that this machine trusts",
            "nothing can be sent: a proxy opens TLS; name its authority as ca_file in [cloud]",
        ),
        Assumption(
            "hosts",
            "both hosts answer as Entra ID and Graph do",
            "something between here and Microsoft answers in its place",
        ),
        Assumption(
            "clock",
            "this machine's clock is right to a minute",
            "Entra may refuse certificates and tokens: set the clock (timedatectl)",
        ),
        # Signing in and tokens
        Assumption(
            "redirect",
            "http://localhost:PORT is a valid redirect URI without a slash, and is valid with one",
            "the form that is refused cannot be used to sign in by browser; the relay sends the "
            "one without a slash",
        ),
        Assumption(
            "token",
            "Entra grants a token that names everything that the account needs",
            "what is missing has to be granted: see graphrelay status",
        ),
        Assumption(
            "token-answer",
            "the scopes of a token answer are short names, or URLs of Graph in this cloud",
            "nothing: the relay compares the last part of each name",
        ),
        # Whose mailbox
        Assumption(
            "path-own",
            "the user's own mailbox sends by /me",
            "the account cannot send: its user has no mailbox in Exchange Online",
        ),
        Assumption(
            "path-upn",
            "a mailbox sends by /users/ and its user principal name",
            "name the mailbox in user_ids by what is found",
        ),
        Assumption(
            "path-address",
            "Graph does not find a mailbox by an SMTP address that is not its user principal name",
            "user_ids is not needed for this mailbox",
        ),
        Assumption(
            "path-object-id",
            "a mailbox sends by /users/ and its object id",
            "name the mailbox in user_ids by its user principal name",
        ),
        Assumption(
            "probe",
            "a message without recipients is refused with 400 ErrorInvalidRecipients in a mailbox "
            "that may be used, and with 403 in one that may not",
            "status --outside and the size ladder prove nothing in this tenant",
        ),
        Assumption(
            "denials",
            "a foreign From is refused with 403 ErrorSendAsDenied, an unknown mailbox with 404 "
            "ErrorInvalidUser, and a false token with 401",
            "such mail waits or fails with another reason than docs/delivery.md says",
        ),
        # What arrives
        Assumption(
            "from",
            "From arrives with the name and address that were sent",
            "recipients see another sender than the application wrote",
        ),
        Assumption(
            "from-alias",
            "an alias in From arrives as the primary address",
            "recipients see the alias: SendFromAliasEnabled is on",
        ),
        Assumption(
            "message-id",
            "the Message-ID arrives as it was sent",
            "lost answers and non-delivery reports cannot be matched to their messages: set "
            'on_uncertain = "hold" if a double does harm',
        ),
        Assumption(
            "date",
            "Date arrives as it was sent",
            "recipients see when Exchange took the message, not when it was written",
        ),
        Assumption(
            "known-headers",
            "In-Reply-To, References, Importance and List-Unsubscribe arrive as they were sent",
            "threads, importance or one-click unsubscription are lost on the way",
        ),
        Assumption(
            "other-headers",
            "Auto-Submitted and List-Id are lost",
            "they arrive: programs that look at them work better than fidelity.md says",
        ),
        Assumption(
            "x-headers",
            "an X- field that the mailbox has never sent by JSON is lost in MIME",
            "teach-headers is not needed for this mailbox",
        ),
        Assumption(
            "taught",
            "an X- field that was sent once by JSON is kept in MIME",
            'teach-headers does not help this mailbox: use content = "json" for such mail',
        ),
        Assumption(
            "octets",
            "text in quoted-printable and in 8bit arrives as the same characters",
            "letters are damaged on the way: report it, with the file of this run",
        ),
        Assumption(
            "bcc-mime",
            "recipients in Bcc of MIME get the message, and nobody sees them",
            "do not use the relay for blind copies until this is understood: report it",
        ),
        Assumption(
            "bcc-draft",
            "recipients in Bcc of a MIME draft get the message, and nobody sees them",
            "do not use exact_once for blind copies until this is understood: report it",
        ),
        Assumption(
            "no-copy",
            "JSON with saveToSentItems = false leaves no copy in Sent Items",
            "save_to_sent_items = false has no effect in this mailbox",
        ),
        Assumption(
            "recipients",
            "the copy in Sent Items names an alias by its primary address",
            "a lost answer is settled by comparing recipients too",
        ),
        # Drafts
        Assumption(
            "draft-fresh",
            "a draft that was just made is found at once",
            "the relay looks again, and then begins the draft anew",
        ),
        Assumption(
            "draft-sent",
            "a draft that Graph took with 202 is in Sent Items at once",
            "a lost answer may be settled late: the relay looks twice before it sends again",
        ),
        Assumption(
            "draft-id",
            "a draft's immutable id does not survive sending",
            "a lost answer is settled by the id, at the first look",
        ),
        Assumption(
            "draft-deleted",
            "DELETE moves a draft to Deleted Items, and permanentDelete removes it",
            "drafts that are given up may stay in Deleted Items",
        ),
        Assumption(
            "draft-files",
            "a MIME draft that is given a file is written anew from its properties, with the file",
            "where it is kept octet for octet, large messages keep what fidelity.md says they may; "
            "where the file is left out, they go as JSON",
        ),
        Assumption(
            "upload",
            "an upload session takes 3 MB and more in pieces, answers 200 with the next octet and "
            "201 at the end, and lives for ten minutes or longer",
            "large attachments are slow, or do not go: the relay opens another session",
        ),
        # Sizes
        Assumption(
            "size-mime",
            "MIME is taken up to 4,000,000 octets of base64, and more is refused with 413",
            'max_mime_request = "auto" uses what is found',
        ),
        Assumption(
            "size-draft",
            "a draft is taken up to 4,000,000 octets, and more is refused with 413",
            "nothing yet: drafts stay below the documented limit",
        ),
        Assumption(
            "size-attachment",
            "an attachment is taken up to 4,000,000 octets, and more is refused with 413",
            "nothing yet: attachments stay below the documented limit",
        ),
        # Later reports
        Assumption(
            "report-filter",
            "the Inbox can be filtered by message class",
            "with bounces = true the relay lists all mail that came, and looks at its class itself",
        ),
        Assumption(
            "report",
            "a report of class REPORT.IPM.Note.NDR comes for an address that does not exist, and "
            "can be read as MIME",
            "reports of another class are found all the same, and read by their properties",
        ),
        # Limits
        Assumption(
            "six-at-once",
            "of six requests at once four are served, and the others get 429 with Retry-After",
            "set concurrency_per_mailbox to what was served",
        ),
        # Revocation
        Assumption(
            "revoked",
            "after sessions are revoked Graph asks for another token by a claims challenge, and "
            "Entra refuses it with invalid_grant",
            "the old token lasts until it expires; the account is paused later, or otherwise",
        ),
    )
)
"""What `doctor` tries; its checks have these names, in this order."""
