"""What clients are answered, and how a reply is written.

Every reply but the greeting, the answer to HELO and EHLO, and the 3yz ones carries an enhanced
status code (RFC 2034, RFC 3463). The codes and texts are here and in `arguments` and `sasl`, so
that docs/smtp.md can list them; none is made from an exception.
"""

import textwrap
from datetime import timedelta
from typing import Final

from graphrelay.model import Reply, one_line

_LONGEST_TEXT: Final = 400
"""Octets of text in one line; a reply line has at most 512 (RFC 5321 section 4.5.3.1.5)."""


def octets(reply: Reply) -> bytes:
    """The reply as lines for the wire: ASCII, no line too long, nothing that could break out."""
    text = one_line(reply.text)
    if len(text) <= _LONGEST_TEXT:
        return f"{reply.code} {reply.status} {text}\r\n".encode("ascii", "replace")
    *lines, last = textwrap.wrap(text, _LONGEST_TEXT)
    for_more = [f"{reply.code}-{reply.status} {line}\r\n" for line in lines]
    return "".join([*for_more, f"{reply.code} {reply.status} {last}\r\n"]).encode(
        "ascii", "replace"
    )


OK: Final = b"250 2.0.0 Ok\r\n"
SENDER_OK: Final = b"250 2.1.0 Sender ok\r\n"
RECIPIENT_OK: Final = b"250 2.1.5 Recipient ok\r\n"
CHUNK_OK: Final = b"250 2.0.0 Chunk ok\r\n"
SEND_DATA: Final = b"354 End data with <CR><LF>.<CR><LF>\r\n"
READY_FOR_TLS: Final = b"220 2.0.0 Ready to start TLS\r\n"
LOGGED_IN: Final = b"235 2.7.0 Logged in\r\n"
GOODBYE: Final = b"221 2.0.0 Bye\r\n"
CANNOT_VRFY: Final = b"252 2.5.0 Cannot verify a mailbox; send the message to find out\r\n"

# Syntax
UNKNOWN_COMMAND = Reply(500, "5.5.1", "Unknown command; HELP lists the supported ones")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Not implemented")
LINE_TOO_LONG = Reply(500, "5.5.2", "Command line too long")
CONTROL_CHARACTERS = Reply(500, "5.5.2", "Control characters in a command")
NOT_UTF8 = Reply(500, "5.6.7", "That command is neither ASCII nor UTF-8")
BARE_LINE_FEED = Reply(521, "5.5.2", "Commands must end in CR LF, not in a bare LF; closing")
NO_ARGUMENT = Reply(501, "5.5.4", "This command takes no argument")
NEEDS_ARGUMENT = Reply(501, "5.5.4", "This command needs an argument")
NOT_HTTP = Reply(521, "5.5.1", "This is a mail server (SMTP), not a web server; closing")

# Sequence
HELO_FIRST = Reply(503, "5.5.1", "Send EHLO or HELO first")
MAIL_FIRST = Reply(503, "5.5.1", "MAIL FROM comes first")
RCPT_FIRST = Reply(503, "5.5.1", "RCPT TO comes first")
NO_VALID_RECIPIENTS = Reply(554, "5.5.1", "No valid recipients")
NESTED_MAIL = Reply(503, "5.5.1", "A transaction is already in progress; RSET aborts it")
NOT_NOW = Reply(503, "5.5.1", "Not allowed during a transaction")
CHUNKS_UNDER_WAY = Reply(503, "5.5.1", "Not allowed between the chunks of a message (BDAT)")
BINARY_BY_CHUNKS = Reply(503, "5.5.1", "A BINARYMIME message must be sent with BDAT, not DATA")
SPOKE_AHEAD = Reply(421, "4.5.0", "The message was sent without waiting for 354; closing")

# Limits
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients; send the rest in another message")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors; closing")
TOO_MUCH_CHATTER = Reply(421, "4.7.0", "Too many commands without a message; closing")
STOPPING = Reply(421, "4.3.2", "The relay is stopping; try again later")

# Login and TLS
LOGIN_NEEDED = Reply(530, "5.7.0", "Authentication required (AUTH)")
NO_LOGIN_HERE = Reply(503, "5.5.1", "Authentication is neither required nor available here")
TLS_BEFORE_LOGIN = Reply(538, "5.7.11", "Passwords are accepted only over TLS; use STARTTLS first")
ALREADY_LOGGED_IN = Reply(503, "5.5.1", "Already authenticated")
WRONG_PASSWORD = Reply(535, "5.7.8", "Wrong name or password")
NO_TLS_HERE = Reply(502, "5.5.1", "TLS is not offered here")
ALREADY_TLS = Reply(503, "5.5.1", "TLS is already active")
AHEAD_OF_TLS = Reply(421, "4.7.0", "Commands were sent ahead of the TLS handshake; closing")

# Trouble in the relay
STORAGE_AWAY = Reply(451, "4.3.0", "Mail cannot be stored now; try again later")
STORAGE_UNAVAILABLE = Reply(452, "4.3.1", "Mail cannot be stored now; try again later")
CLOSING_IN_TROUBLE = Reply(421, "4.3.0", "Internal error; try again later")
INTERNAL_ERROR = Reply(451, "4.3.0", "Internal error; try again later")


def too_big(limit: int) -> Reply:
    """For a message over the limit, announced or sent."""
    return Reply(552, "5.3.4", f"The message is too big: at most {limit} octets are accepted")


def not_allowed(client: str) -> Reply:
    """For a client outside allow_from."""
    return Reply(554, "5.7.1", f"{client} may not use this relay (allow_from)")


def locked_out(remaining: timedelta) -> Reply:
    """For a client that has been guessing passwords."""
    seconds = int(remaining.total_seconds()) + 1
    return Reply(454, "4.7.0", f"Too many wrong passwords from here; try again in {seconds} s")
