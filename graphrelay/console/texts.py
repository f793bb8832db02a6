"""What the pages say to people, beside templates/: all of it is in these two places."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Question:
    """Asked before something is done that cannot be undone, or is done to many messages."""

    title: str
    """With `{on}`: what it is done to."""
    text: str
    button: str
    asks_reason: bool = False


QUESTIONS: Final = {
    "revoke": Question(
        "Delete the authorization of {on}?",
        "The relay forgets its tokens. Mail of this account waits from then on, until somebody "
        "authorizes it again.",
        "Delete authorization",
    ),
    "resend": Question(
        "Send {on} again?",
        "Its recipients get the same message once more. It is routed by the present "
        "configuration, under an id of its own.",
        "Send again",
        asks_reason=True,
    ),
    "retry": Question(
        "Try again now: {on}?", "What waits for its next attempt is tried at once.", "Try again now"
    ),
    "hold": Question(
        "Hold {on}?", "What is held waits until somebody releases it.", "Hold", asks_reason=True
    ),
    "release": Question(
        "Release {on}?", "What is released is sent as soon as its lane is open.", "Release"
    ),
    "delete": Question(
        "Delete {on}?",
        "What is deleted is never sent, and its text is gone. The mail log keeps who it was from "
        "and to, and the reason.",
        "Delete",
        asks_reason=True,
    ),
}
SCENARIOS: Final = {
    "user": "One signed-in user",
    "personal": "A personal account (outlook.com)",
    "any-user": "The application, as any mailbox of the tenant",
    "scoped-users": "The application, as the mailboxes of its scope",
}

FOR_ALL: Final = {
    "retry": "Try all again now",
    "hold": "Hold all",
    "release": "Release all",
    "delete": "Delete all",
}

METHODS: Final = {
    "browser": (
        "In this browser",
        "Opens Microsoft in a new tab. The browser must run on the relay's machine: the way back "
        "leads to localhost.",
    ),
    "device": ("With a code", "On any device. Some tenants block it."),
    "paste": (
        "By pasting an address",
        "In any browser. The last page cannot be displayed, and its address is pasted here.",
    ),
}
"""How a user signs in for an account: a button, and what it is about."""

# Buttons for what needs a person
AUTHORIZE: Final = "Authorize"
AUTHORIZE_HERE: Final = "Authorize in this browser"
AUTHORIZE_BY_CODE: Final = "Authorize with a code"
SHOW_ACCOUNT: Final = "Show the account"
SHOW_WAITING: Final = "Show what waits"
SHOW_HELD: Final = "Show what is held"
TRY_AGAIN: Final = "Try again now"
WAITING: Final = "{count} waiting."
HELD: Final = "Nothing of it is sent until somebody releases or deletes it."
OLDEST: Final = "The oldest message"
OLDEST_WAITS: Final = "It has been waiting for long."
DISK: Final = "The disk"
DISK_FULL: Final = "{left} are left. Below 32 MB the relay refuses mail (452)."

# Plots
DAY: Final = "The last 24 hours, by hour"
MONTH: Final = "The last 30 days, by day"
WAITS: Final = "From accepted to relayed, by hour"

# Dialogs
TEST: Final = "Test message"
ENDED: Final = "This has ended. Begin again on the page Accounts."

# Signing in
WRONG_LOGIN: Final = "The name or the password is wrong."
LOCKED_OUT: Final = "Too many wrong passwords came from this address. Try again in five minutes."
VOID_LINK: Final = (
    "This link has been used, or is older than five minutes. For another one run: "
    "graphrelay console"
)
TOO_MANY_SIGN_INS: Final = "Too many people are signing in at the moment; try again."
CONFIGURATION_CHANGED: Final = "The configuration was changed meanwhile."
NO_SUCH_SIGN_IN: Final = (
    "This answer belongs to no sign-in that was begun in this browser, or was used."
)
SIGN_IN_TOO_LATE: Final = "The sign-in took too long."
NOT_LISTED: Final = "{named} is not in [[console.microsoft_users]]."
OTHER_NAME: Final = "Entra calls this user {named}; [[console.microsoft_users]] says {username}."

# What is refused
NO_METHOD: Final = "Choose how to sign in."
NO_MICROSOFT: Final = "Nobody signs in with Microsoft here."
NO_LOGIN: Final = "That is no name or password."
NO_NUMBER: Final = "That is no number."
NO_MOMENT: Final = "{text!r} is no date and time."
NO_FILE: Final = "This relay has no configuration file to add accounts to."
FOR_OPERATORS: Final = "Setting up accounts is for operators."
TOO_MANY_PAGES: Final = "Too many pages are open."
TOO_MANY_AT_ONCE: Final = "Too many pages were asked for at once. Open this one again in a moment."
FORM_TOO_OLD: Final = "This form is too old, or not from this console. Open the page again."
FORM_TOO_LATE: Final = "The form did not arrive in time."
FOR_OPERATOR: Final = (
    '{who} may look at everything here and change nothing. An operator may: role = "operator" in '
    "[[console.users]]."
)
FORM_UNREADABLE: Final = "The form is not in UTF-8."
NOT_SIGNED_IN: Final = "Not signed in."
REFUSED: Final = "Refused: {reason}."
BROKE: Final = "The console made a mistake; the journal says which. Mail is not affected."
RELAY_BROKE: Final = "The relay failed: {error}"
SOME_CHANGED: Final = "{changed} changed, {kept} not: {first}"


def messages(count: int) -> str:
    """`1 message`, `1,200 messages`"""
    return f"{count:,} message{'' if count == 1 else 's'}"
