"""Carries out the parsed command line."""

import os
import re
import sys

from graphrelay.sendmail import header, local, message, smtp
from graphrelay.sendmail.envelope import Envelope, safe
from graphrelay.sendmail.handover import Places, Taken, hand_over
from graphrelay.sendmail.message import Message
from graphrelay.sendmail.options import Options, parse
from graphrelay.sendmail.stop import Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def run(arguments: list[str], environment: "Mapping[str, str]") -> int:
    """Run the chosen mode. Raises `Stop`, `OSError`."""
    options = parse(arguments)
    places = Places(environment)
    match options.mode:
        case "deliver":
            try:
                taken = _deliver(options, places)
            except Stop as stop:
                stop.quiet = options.quiet
                raise
            if options.verbose:
                sys.stdout.write(f"{taken.said}\n")
        case "smtp":
            from graphrelay.sendmail.dialog import Dialog

            return Dialog(sys.stdin.buffer, sys.stdout.buffer, places, options).converse()
        case "list":
            raise Stop(os.EX_UNAVAILABLE, "what waits is shown by: graphrelay queue list")
    return os.EX_OK


def _deliver(options: Options, places: Places) -> Taken:
    if not (options.recipients or options.from_header):
        raise Stop(os.EX_USAGE, "no recipients: name them behind the options, or use -t")
    sender = safe(local.sender_address(options.sender))
    named = [address for word in options.recipients for address in _in_word(word)]
    written = _read(dot_ends=options.dot_ends)
    try:
        envelope = _envelope(options, sender, named, written)
        if options.full_name and not header.has(written.head, "from"):
            written.put_before(_from_line(options.full_name, sender))
        taken = hand_over(envelope, written, places)
    finally:
        written.close()
    if isinstance(taken, smtp.Refused):
        raise Stop(smtp.exit_status(taken.reply, taken.whom), str(taken))
    return taken


def _read(*, dot_ends: bool) -> Message:
    try:
        return message.read(0, dot_ends=dot_ends)
    except OSError as error:
        raise Stop(os.EX_IOERR, f"the message cannot be read: {error.strerror}") from error


def _envelope(options: Options, sender: str, named: list[str], written: Message) -> Envelope:
    if options.from_header:
        named = named + header.recipients(written.head)
        if not named:
            raise Stop(os.EX_USAGE, "no recipients in To, Cc or Bcc, nor on the command line")
    recipients = local.resolved([safe(address) for address in named])
    envelope = Envelope(sender, [safe(address) for address in recipients])
    envelope.envelope_id, envelope.returned = options.envelope_id, options.returned
    envelope.notify = options.notify
    return envelope


def _in_word(word: str) -> list[str]:
    """An argument may contain several addresses, and names: `Anna <anna@example.org>`."""
    safe(word.replace("<", "").replace(">", ""))
    found = header.addresses(os.fsencode(word))
    if not found:
        raise Stop(os.EX_DATAERR, f"{word!r} is not a mail address")
    return found


_UNFIT_FOR_A_NAME = re.compile(
    '[\x00-\x1f\x7f-\x9f"\\\\\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]'
)
"""Line ends, characters that end a quoted string, other controls, and changes of writing
direction.
"""


def _from_line(name: str, sender: str) -> bytes:
    """`From: "name" <sender>`, for a message without From (`-F`)."""
    shown = _UNFIT_FOR_A_NAME.sub("", name)
    if shown.isascii():
        return f'From: "{shown}" <{sender}>\r\n'.encode()
    from base64 import b64encode

    words = [shown[at : at + 11] for at in range(0, len(shown), 11)]
    encoded = (f"=?UTF-8?B?{b64encode(word.encode()).decode()}?=" for word in words)
    return f"From: {' '.join(encoded)} <{sender}>\r\n".encode()
